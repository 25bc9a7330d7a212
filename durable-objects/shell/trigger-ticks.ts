import type { Context } from "../../src/engine/machine.ts";
import type { BindingState } from "../../src/engine/trigger/binding.ts";
import type { CronBinding } from "../../src/engine/cron/state.ts";
import { cronBinding } from "../../src/schema/trigger-cron.ts";
import type { NormalisedEvent } from "../../src/schema/trigger.ts";
import type { Store } from "../storage/store.ts";
import { loadControl, storeControl } from "./control-rows.ts";
import { CronClock } from "./cron-clock.ts";
import type { EventDraft } from "./event-draft.ts";

/** A tick of the trigger's schedule. */
export interface Tick {
  readonly event: NormalisedEvent;
  readonly tenant: string;
}

interface TicksHosting {
  readonly store: Store;
  readonly context: () => Context;
  readonly binding: () => BindingState;
  /** Takes in the event of a tick; null when it was taken in before. */
  readonly accept: (tick: Tick) => EventDraft | null;
}

/** A schedule that cannot be followed is looked at again after this long. */
const PROBLEM_WAIT_MS = 600_000;

/** The schedule of a cron trigger (spec/triggers 18): its ticks come in as events, inside its owner's transaction. */
export class TriggerTicks {
  readonly #hosting: TicksHosting;
  readonly #clock: CronClock;
  #drafts: EventDraft[] = [];
  #problemUntil: number | null = null;

  constructor(hosting: TicksHosting) {
    this.#hosting = hosting;
    const { store, context } = hosting;
    this.#clock = new CronClock({ store, now: () => context().now, accept: (event) => this.#take(event) });
  }

  /** When `run` has something to do next; null for a trigger without a schedule, or one that is not active. */
  get nextAt(): number | null {
    return this.#binding() === null ? null : (this.#problemUntil ?? this.#clock.nextAt);
  }

  /** Starts the schedule of a trigger that was put or resumed; whose it is is kept for the ticks. */
  start(
    { tenant, isResumed }: { readonly tenant: string | undefined; readonly isResumed: boolean },
    drafts: EventDraft[],
  ): void {
    const binding = this.#binding();
    if (binding === null) return;
    if (tenant !== undefined) storeControl(this.#hosting.store, "tenant", tenant);
    this.#step(drafts, () => (isResumed ? this.#clock.activate(binding) : this.#clock.wake(binding)).ok);
  }

  /** Takes in what is due. */
  run(drafts: EventDraft[]): void {
    const binding = this.#binding();
    if (binding !== null) this.#step(drafts, () => this.#clock.wake(binding).ok);
  }

  #step(drafts: EventDraft[], step: () => boolean): void {
    this.#drafts = drafts;
    this.#problemUntil = step() ? null : this.#hosting.context().now + PROBLEM_WAIT_MS;
  }

  #binding(): CronBinding | null {
    const state = this.#hosting.binding();
    if (state.status !== "active" || state.definition.provider !== "cron") return null;
    return cronBinding(state.trigger_id, state.definition);
  }

  #take(event: NormalisedEvent): void {
    const tenant = loadControl<string>(this.#hosting.store, "tenant") ?? "default";
    const draft = this.#hosting.accept({ event, tenant });
    if (draft !== null) this.#drafts.push(draft);
  }
}
