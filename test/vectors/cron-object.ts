import { CronClock } from "../../durable-objects/shell/cron-clock.ts";
import { type SqliteStore, sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { CronBinding, CronState } from "../../src/engine/cron/state.ts";
import type { NormalisedEvent, TriggerEvent } from "../../src/schema/trigger.ts";
import type { StoredDefinition } from "../../src/schema/trigger-definition.ts";
import type { VirtualClock } from "./clock.ts";
import { TriggerHost } from "./trigger-host.ts";

/** A tick's event with the trigger that took it in. */
export type CronEvent = TriggerEvent & { readonly binding_id: string };

/** The process ended in the middle of a step. */
class Crash extends Error {}

/** A definition without the schedule: its clock runs beside the object here, so that a crash can part them. */
const DEFINITION: StoredDefinition = {
  provider: "manual",
  kind: "manual",
  match: {},
  handler: { workflow: "w" },
  dedupe: { retention_days: 7 },
  max_body_bytes: 1,
};

const unknown = (trigger_id: string): CronBinding => ({
  trigger_id,
  schedule: "",
  timezone: "UTC",
  catchup_mode: "skip",
});

const stateAt = ({ schedule, timezone }: CronBinding, at: number): CronState => ({
  schedule,
  timezone,
  last_fired_at_ms: at,
  cursor_ms: at,
  next_at_ms: null,
  owed: null,
});

/** One cron trigger: the product's clock on one store, and its intake on another, so that a crash can part them. */
class CronObject {
  readonly #clock: VirtualClock;
  readonly #binding: () => CronBinding;
  readonly #host: TriggerHost;
  readonly #state: SqliteStore = sqliteStore();
  readonly #emit: (event: CronEvent) => void;
  clock: CronClock;

  constructor(clock: VirtualClock, binding: () => CronBinding, emit: (event: CronEvent) => void) {
    this.#clock = clock;
    this.#binding = binding;
    this.#emit = emit;
    this.#host = new TriggerHost(binding().trigger_id, clock);
    this.clock = this.#load();
  }

  restart(): void {
    this.#host.restart();
    this.clock = this.#load();
  }

  close(): void {
    this.#host.close();
    this.#state.close();
  }

  #load(): CronClock {
    const now = (): number => this.#clock.now;
    return new CronClock({ store: this.#state, now, accept: (event) => this.#accept(event) });
  }

  #accept(event: NormalisedEvent): void {
    const binding = this.#binding();
    this.#host.configure(DEFINITION);
    const { reply, record } = this.#host.accept({ tenant: null, event });
    if (reply?.type === "receipt" && !reply.duplicate) this.#emit({ ...record.event, binding_id: binding.trigger_id });
  }
}

/** The cron triggers of a system. */
export class Crons {
  readonly #clock: VirtualClock;
  readonly #objects = new Map<string, CronObject>();
  readonly #active = new Map<string, CronBinding>();
  /** States that were planted before their schedule was known. */
  readonly #planted = new Map<string, number>();
  readonly events: CronEvent[] = [];
  /** Whether the next tick ends the process after it was emitted. */
  crashesAfterEmit = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Starts schedules; the error of the first that cannot be started. */
  activate(bindings: readonly CronBinding[]): string | null {
    for (const binding of bindings) {
      this.#active.set(binding.trigger_id, binding);
      const error = this.#guarded(() => {
        const { clock } = this.#object(binding.trigger_id);
        const planted = this.#planted.get(binding.trigger_id);
        if (planted !== undefined) clock.keep(stateAt(binding, planted));
        this.#planted.delete(binding.trigger_id);
        const started = clock.activate(binding);
        return started.ok ? null : started.error;
      });
      if (error !== null) {
        this.#active.delete(binding.trigger_id);
        return error;
      }
    }
    return null;
  }

  deactivate(): void {
    this.#active.clear();
  }

  get active(): number {
    return this.#active.size;
  }

  stateOf(id: string): CronState | null {
    const planted = this.#planted.get(id);
    return planted === undefined ? this.#object(id).clock.state : stateAt(unknown(id), planted);
  }

  /** Plants when a trigger fired last; the schedule is the one that is activated next. */
  plant(id: string, lastFiredAt: number): void {
    this.#planted.set(id, lastFiredAt);
  }

  /** When the next alarm rings, or null. */
  get nextAt(): number | null {
    const times = [...this.#active.keys()].map((id) => this.#object(id).clock.nextAt).filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Rings the alarms that are due. */
  wake(): void {
    for (const [id, binding] of this.#active) {
      const { clock } = this.#object(id);
      if ((clock.nextAt ?? Infinity) <= this.#clock.now) this.#guarded(() => void clock.wake(binding));
    }
  }

  restart(): void {
    this.#active.clear();
    for (const object of this.#objects.values()) object.restart();
  }

  close(): void {
    for (const object of this.#objects.values()) object.close();
  }

  #guarded<T>(step: () => T): T | null {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.restart();
      return null;
    }
  }

  #object(id: string): CronObject {
    let object = this.#objects.get(id);
    if (object === undefined) {
      const binding = (): CronBinding => this.#active.get(id) ?? unknown(id);
      object = new CronObject(this.#clock, binding, (event) => this.#emit(event));
      this.#objects.set(id, object);
    }
    return object;
  }

  #emit(event: CronEvent): void {
    this.events.push(event);
    if (!this.crashesAfterEmit) return;
    this.crashesAfterEmit = false;
    throw new Crash("the process ends here");
  }
}
