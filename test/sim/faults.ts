import { Random } from "../support/random.ts";

/** Every fault the simulator knows, with its probability at each opportunity. */
export const FAULTS = {
  /** A call never reaches the object. */
  rpc_lost: 0.04,
  /** A call takes its time. */
  rpc_delay: 0.02,
  /** A call is answered and the caller hears nothing of it. */
  answer_lost: 0.02,
  /** The object is reset before it gets a call. */
  reset_before_call: 0.03,
  /** The object dies inside a transaction: everything it wrote is rolled back. */
  crash_in_commit: 0.04,
  /** The object dies after the commit and before the answer. */
  crash_after_commit: 0.04,
  /** A transaction fails and the object lives on. */
  storage_fault: 0.01,
  /** The object leaves memory between two calls. */
  eviction: 0.2,
  /** A new version with another reducer comes into force; or the old one comes back. */
  deploy: 0.1,
  /** The machine on which everything runs is switched off and on again. */
  restart: 0.02,
  /** The alarm is forgotten when the object dies in its handler. */
  alarm_lost: 0.5,
  /** The object dies while its alarm handler waits. */
  alarm_crash: 0.1,
  /** Whoever creates the run goes away before driving it. */
  undriven: 0.3,
  driver_crash: 0.03,
  /** The driver's process stands still for a while, heartbeats included. */
  driver_freeze: 0.02,
  /** The driver never renews its lease. */
  no_heartbeat: 0.15,
  /** A stage takes longer than a lease. */
  slow_stage: 0.12,
  queue_drop: 0.1,
  queue_duplicate: 0.1,
  queue_delay: 0.15,
  send_fails: 0.06,
  /** The message is sent and the sender is told that it was not. */
  send_unconfirmed: 0.04,
  clock_jump: 0.05,
  /** A completion comes again, late, or changed. */
  late_completion: 0.3,
  /** A step of a loop is recorded again, at once or late. */
  step_repeated: 0.15,
  /** The run is paused and resumed. */
  pause: 0.06,
  cancel: 0.01,
  /** A signal is sent, whether or not anybody waits for it. */
  signal: 0.08,
  /** A message is taken out of the mailbox by somebody else. */
  receive: 0.02,
} as const;

export type FaultName = keyof typeof FAULTS;

/** Decides which faults happen. Each has choices of its own, so that leaving one out disturbs the others little. */
export class Faults<Name extends string = FaultName> {
  readonly counts: Record<Name, number>;
  readonly enabled: ReadonlySet<Name>;
  active = true;
  readonly #random: ReadonlyMap<Name, Random>;
  readonly #table: Readonly<Record<Name, number>>;

  /** `table` says with which probability each of them happens at each opportunity. */
  constructor(seed: number, without: ReadonlySet<Name>, table: Readonly<Record<Name, number>>) {
    const names = Object.keys(table) as Name[];
    // Each seed leaves some faults out: combinations that hide each other are tried apart as well.
    const swarm = Random.named(seed, "swarm");
    this.#table = table;
    this.counts = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
    this.enabled = new Set(names.filter((name) => swarm.chance(0.6) && !without.has(name)));
    this.#random = new Map(names.map((name) => [name, Random.named(seed, name)]));
  }

  /** Whether the fault happens now. */
  hits(name: Name): boolean {
    if (!this.draws(name)) return false;
    this.counts[name] += 1;
    return true;
  }

  /** Whether the fault is to happen as soon as it can; whoever makes it happen counts it. */
  draws(name: Name): boolean {
    return this.active && this.enabled.has(name) && this.random(name).chance(this.#table[name]);
  }

  random(name: Name): Random {
    return this.#random.get(name) as Random;
  }
}
