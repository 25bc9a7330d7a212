import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isEmpty, MAX_LOSSES, NO_POOL, poolMachine, wakeAt } from "../../src/engine/pool/machine.ts";
import { evolvePool, touchedTasks } from "../../src/engine/pool/evolve.ts";
import { pickTask, type QueuedTask } from "../../src/engine/pool/pick.ts";
import type { PoolCommand, PoolEvent, PoolState, QueueKind } from "../../src/engine/pool/state.ts";
import { taskAsk } from "../../src/engine/pool/submit.ts";
import type { TaskView } from "../../src/engine/pool/view.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { configOf, Crash, HostedPool } from "../unit/pool/fixture.ts";

const KINDS: readonly QueueKind[] = ["fifo", "lifo", "priority", "fair_round_robin"];

type Move =
  | {
      readonly do: "submit";
      readonly priority: number;
      readonly key: string | null;
      readonly id: number | null;
      readonly attempts: number;
    }
  | { readonly do: "deliver" | "renew" | "complete" | "fail"; readonly which: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "crash"; readonly write: number }
  | { readonly do: "lose" | "restart" };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("submit" as const),
      priority: fc.integer({ min: -1, max: 2 }),
      key: fc.constantFrom(null, "a", "b", "c"),
      id: fc.option(fc.nat(4), { freq: 3 }),
      attempts: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "deliver" as const,
        "deliver" as const,
        "renew" as const,
        "complete" as const,
        "fail" as const,
      ),
      which: fc.nat(20),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(500, 9_000, 31_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("lose" as const, "restart" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("crash" as const), write: fc.nat(3) }) },
);

const backpressure: fc.Arbitrary<JsonObject[string]> = fc.oneof(
  fc.constantFrom("unbounded", "fail_fast", { kind: "ring_buffer", capacity: 2 }),
  fc.record({
    kind: fc.constant("queue"),
    max_depth: fc.integer({ min: 1, max: 3 }),
    on_full: fc.constantFrom("block_submitter", "drop_oldest", "drop_newest", "fail_submitter"),
  }),
);

const options: fc.Arbitrary<JsonObject> = fc.record({
  max_concurrent: fc.integer({ min: 1, max: 3 }),
  queue: fc.constantFrom(...KINDS),
  backpressure,
});

const isOver = ({ status }: TaskView): boolean => ["completed", "failed", "rejected"].includes(status);

/** A pool with everything that its submitters and consumers were told. */
class World {
  readonly host: HostedPool;
  readonly known = new Map<string, string>();
  readonly accepted = new Map<string, TaskView>();
  readonly calls = new Map<string, number>();
  crashes = 0;
  hands: { readonly id: string; readonly token: string }[] = [];

  constructor(given: JsonObject) {
    this.host = new HostedPool(given);
  }

  /** What the process does not survive has not happened: its commit is undone, and everything is loaded anew. */
  play(step: Move): void {
    try {
      this.step(step);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.crashes += 1;
      this.host.restart();
      this.check();
    }
  }

  step(step: Move): void {
    const { host } = this;
    switch (step.do) {
      case "crash":
        host.crashAt = step.write;
        return;
      case "submit":
        this.submit(step);
        break;
      case "deliver":
        this.deliver(step.which);
        break;
      case "wait":
        host.now += step.ms;
        host.ring();
        break;
      case "lose":
        host.offers.length = 0;
        break;
      case "restart":
        this.restart();
        break;
      default:
        this.tell(step.do, step.which);
    }
    this.check();
  }

  submit({ priority, key, id, attempts }: Extract<Move, { do: "submit" }>): void {
    const named = id === null ? {} : { idempotency_key: `k${id}` };
    const retry = { max_attempts: attempts, backoff_ms: 500 };
    const answer = this.host.submit({ priority, key, retry, ...named });
    if (!answer.ok) {
      expect(["pool_full", "pool_busy"]).toContain(answer.rejection.code);
      return;
    }
    const { task, is_new } = answer.reply;
    expect(is_new).toBe(!this.accepted.has(task.id));
    if (id !== null) expect(this.known.get(`k${id}`) ?? task.id).toBe(task.id);
    if (id !== null) this.known.set(`k${id}`, task.id);
    if (is_new) this.accepted.set(task.id, task);
  }

  deliver(which: number): void {
    const { host } = this;
    const [offer] = host.offers.splice(which % Math.max(host.offers.length, 1), 1);
    if (offer === undefined) return;
    const answer = host.shell.claim(offer.task_id);
    if (!answer.ok) throw new Error(answer.rejection.detail);
    if (answer.reply === null) return;
    const { task_id: id, token } = answer.reply;
    this.calls.set(id, (this.calls.get(id) ?? 0) + 1);
    this.hands.push({ id, token });
  }

  tell(what: "renew" | "complete" | "fail", which: number): void {
    const hand = this.hands[which % Math.max(this.hands.length, 1)];
    if (hand === undefined) return;
    const before = this.host.task(hand.id);
    const { shell } = this.host;
    if (what === "renew") {
      shell.renew(hand.id, hand.token);
      return;
    }
    const outcome = what === "complete" ? ({ type: "succeeded", result: hand.token } as const) : FAILED;
    const answer = shell.end(hand.id, hand.token, outcome);
    this.host.send();
    if (!answer.ok) expect(answer.rejection.code).toBe("stale_attempt");
    // What is over stays as it is, and what another hand holds is not for this one to end.
    if (isOver(before) || !answer.ok) expect(this.host.task(hand.id)).toEqual(before);
  }

  /** What the object finds in its rows is what it had in its memory. */
  restart(): void {
    const { host } = this;
    const before = [host.view(), host.shell.pending()];
    host.restart();
    expect([host.view(), host.shell.pending()]).toEqual(before);
  }

  check(): void {
    const { host } = this;
    const view = host.view();
    const { max_concurrent, backpressure: bounds } = host.config;
    expect(view.active).toBeLessThanOrEqual(max_concurrent);
    if (view.active < max_concurrent) expect(view.queued).toBe(0);
    const depth = bounds.kind === "fail_fast" ? 0 : (bounds.max_depth ?? Infinity);
    expect(view.queued).toBeLessThanOrEqual(depth);
    if (view.blocked_submitters > 0) expect(view.queued).toBe(depth);
    // No task is lost, and none is there twice.
    expect(view.total + view.blocked_submitters).toBe(this.accepted.size);
    expect(new Set(view.tasks.map(({ id }) => id))).toEqual(new Set(this.accepted.keys()));
    const open = view.tasks.filter((task) => task.status === "queued" || task.status === "running");
    expect(host.shell.pending()).toHaveLength(open.length);
    // Whatever runs, or waits for what runs, has its alarm (I1).
    if (open.length > 0) expect(host.alarm).not.toBeNull();
  }

  /** Consumers that do their work, until nothing is left. */
  finish(): void {
    const { host } = this;
    host.crashAt = null;
    for (let round = 0; round < 2_000 && !this.isFinished(); round += 1) {
      const [hand] = this.hands.splice(0, 1);
      if (hand !== undefined) host.shell.end(hand.id, hand.token, { type: "succeeded", result: hand.token });
      else if (host.offers.length > 0) this.deliver(0);
      else {
        host.now = Math.max(host.now, host.alarm ?? host.now);
        host.ring();
      }
      host.send();
      this.check();
    }
    expect(this.isFinished()).toBe(true);
  }

  isFinished(): boolean {
    return this.host.view().tasks.every(isOver);
  }
}

const FAILED = { type: "failed", error: "no", retryable: true } as const;

describe("a pool under random submitters, consumers and crashes", () => {
  it("[L-26, P1, P2, P4, P5] never runs too many tasks, loses none, and ends them all", () => {
    let crashes = 0;
    let restarts = 0;
    let blocked = 0;
    fc.assert(
      fc.property(options, fc.array(move, { minLength: 20, maxLength: 80 }), (given, moves) => {
        const world = new World(given);
        for (const step of moves) {
          world.play(step);
          if (step.do === "restart") restarts += 1;
        }
        crashes += world.crashes;
        blocked += world.host.view().blocked_submitters;
        world.finish();
        const tasks = world.host.view().tasks;
        for (const task of tasks) {
          const calls = world.calls.get(task.id) ?? 0;
          expect(calls).toBe(task.attempts);
          if (task.status === "rejected") expect(calls).toBe(0);
          else expect(calls).toBeGreaterThan(0);
          expect(calls).toBeLessThan(3 + MAX_LOSSES);
        }
        world.host.store.close();
      }),
      { numRuns: 150 },
    );
    expect(restarts).toBeGreaterThan(50);
    expect(crashes).toBeGreaterThan(50);
    expect(blocked).toBeGreaterThan(0);
  });

  it("[P3] two hands never hold one task", () => {
    fc.assert(
      fc.property(options, fc.array(move, { minLength: 20, maxLength: 80 }), (given, moves) => {
        const world = new World(given);
        const holder = new Map<string, string>();
        for (const step of moves) {
          const before = world.hands.length;
          world.play(step);
          for (const { id, token } of world.hands.slice(before)) {
            const earlier = holder.get(id);
            // Whoever had it before can do nothing more with it.
            if (earlier !== undefined) expect(world.host.shell.renew(id, earlier).ok).toBe(false);
            holder.set(id, token);
          }
        }
        world.host.store.close();
      }),
      { numRuns: 60 },
    );
  });
});

describe("the machine of a pool", () => {
  const command = fc.oneof(
    fc.record({
      type: fc.constant("submit" as const),
      id: fc.nat(12),
      priority: fc.nat(3),
      key: fc.constantFrom(null, "a", "b"),
    }),
    fc.record({
      type: fc.constantFrom("claim" as const, "end" as const, "sweep" as const, "drain" as const),
      id: fc.nat(12),
    }),
  );

  it("[L-26] folding its events gives the state it decided on, and the rows that the shell writes", () => {
    fc.assert(
      fc.property(options, fc.array(command, { maxLength: 50 }), (given, commands) => {
        let now = 1_000;
        let ids = 0;
        const context = () => ({ now, nextId: (prefix: string) => `${prefix}_${(ids += 1)}` });
        const rows = new Map<string, unknown>();
        let state: PoolState = NO_POOL;
        const tell = (told: PoolCommand): void => {
          const one = poolMachine.decide(state, told, context());
          if (!one.ok) return;
          const folded = one.events.reduce((at: PoolState, event: PoolEvent) => evolvePool(at, event), state);
          expect(one.state ?? folded).toEqual(folded);
          for (const task of touchedTasks(state, one.events)) rows.set(task.id, task);
          state = folded;
          for (const task of [...state.queue, ...state.running, ...state.blocked])
            expect(rows.get(task.id)).toEqual(task);
          expect(wakeAt(state) === null).toBe(state.running.length === 0);
          if (state.running.length === 0) expect(isEmpty(state)).toBe(true);
        };
        tell({ type: "create", tenant: "t", config: configOf(given) });
        for (const step of commands) {
          now += 700;
          const task_id = `task${step.id}`;
          if (step.type === "submit") {
            const ask = taskAsk({ handler: "f", priority: step.priority, key: step.key }, "key");
            if (!ask.ok) throw new Error(ask.error);
            const known = [...state.queue, ...state.running, ...state.blocked].find(({ id }) => id === task_id) ?? null;
            if (rows.has(task_id) && known === null) continue;
            tell({ type: "submit", task_id, known, ask: ask.value, request_digest: null });
          } else if (step.type === "end") {
            const token = state.running.find(({ id }) => id === task_id)?.token ?? "none";
            tell({ type: "end", task_id, token, known: null, outcome: { type: "succeeded" } });
          } else if (step.type === "claim") tell({ type: "claim", task_id });
          else if (step.type === "sweep") tell({ type: "sweep", all: step.id % 2 === 0 });
          else tell({ type: "drain" });
        }
      }),
      { numRuns: 100 },
    );
  });
});

const drained = (kind: QueueKind, tasks: readonly QueuedTask[]): readonly QueuedTask[] => {
  const order: QueuedTask[] = [];
  let left = tasks;
  let last: string | null = null;
  for (;;) {
    const next = pickTask({ kind }, left, last);
    if (next === undefined) return order;
    order.push(next);
    last = next.key ?? "";
    left = left.filter((task) => task !== next);
  }
};

describe("the order of a pool", () => {
  const queue: fc.Arbitrary<readonly QueuedTask[]> = fc
    .array(fc.record({ priority: fc.integer({ min: -2, max: 2 }), key: fc.constantFrom(null, "a", "b", "c") }), {
      minLength: 1,
      maxLength: 30,
    })
    .map((tasks) => tasks.map((task, index) => ({ ...task, id: String(index), seq: index + 1 })));

  it("[L-26.3] every strategy serves each task once, in its order", () => {
    fc.assert(
      fc.property(queue, (tasks) => {
        expect(drained("fifo", tasks)).toEqual(tasks);
        expect(drained("lifo", tasks)).toEqual(tasks.toReversed());
        expect(drained("priority", tasks)).toEqual(tasks.toSorted((a, b) => b.priority - a.priority || a.seq - b.seq));
        const fair = drained("fair_round_robin", tasks);
        expect(fair.toSorted((a, b) => a.seq - b.seq)).toEqual(tasks);
        for (const key of [null, "a", "b", "c"]) {
          const own = fair.filter((task) => task.key === key).map(({ seq }) => seq);
          expect(own).toEqual(own.toSorted((a, b) => a - b));
        }
      }),
    );
  });

  it("[L-26.3] fair round robin serves no key twice in a row while another one waits", () => {
    fc.assert(
      fc.property(queue, (tasks) => {
        const fair = drained("fair_round_robin", tasks);
        for (const [index, task] of fair.entries()) {
          const before = fair[index - 1];
          if (before === undefined || before.key !== task.key) continue;
          expect(fair.slice(index).every(({ key }) => key === task.key)).toBe(true);
        }
      }),
    );
  });
});
