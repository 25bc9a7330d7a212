import type { Answer } from "../../src/engine/machine.ts";
import type { BindingCommand, BindingEvent, BindingReply, BindingState } from "../../src/engine/trigger/binding.ts";
import {
  beginInFlight,
  type BindingLoad,
  busyVersions,
  finishInFlight,
  idleVersions,
  loadOf,
  type LoadOutcome,
  tendedLoad,
} from "../../src/engine/trigger/binding-load.ts";
import type { EventRecord } from "../../src/engine/trigger/event.ts";
import type { EventDraft } from "./event-draft.ts";
import type { MachineShell } from "./machine-shell.ts";

type BindingShell = MachineShell<BindingState, BindingCommand, BindingEvent, never, BindingReply>;

const FINISHED = { dispatched: "dispatched", skipped: "dispatched", failed: "failed", cancelled: "failed" } as const;

/** What a finished event counts as among those of its version (spec/triggers 6.4). */
const loadOutcome = ({ status }: EventRecord): LoadOutcome =>
  status in FINISHED ? FINISHED[status as keyof typeof FINISHED] : "dlq";

/** What each version of a trigger has in flight, in memory only: it is made anew from the open events (spec/triggers 6.4). */
export class VersionLoads {
  readonly #binding: BindingShell;
  readonly #openVersions: () => Iterable<number>;
  #load: BindingLoad | null = null;

  constructor(binding: BindingShell, openVersions: () => Iterable<number>) {
    this.#binding = binding;
    this.#openVersions = openVersions;
  }

  /** What each version has in flight and has done since the object woke. */
  get load(): BindingLoad {
    if (this.#load !== null) return this.#load;
    this.#load = loadOf(this.#binding.state, this.#openVersions());
    // Something may have gone wrong between the end of a version's last event and its own.
    this.#endIdle(this.#load);
    return this.#load;
  }

  /** A transaction was rolled back: what was told and counted in it may be wrong. */
  forget(): void {
    this.#load = null;
    this.#binding.forget();
  }

  /** Tells the binding; versions that have something in flight drain, and end with it. */
  configure(command: BindingCommand): Answer<BindingReply> {
    const { load } = this;
    const isChange = command.type === "configure" || command.type === "delete";
    const answer = this.#binding.execute(isChange ? { ...command, busy: busyVersions(load) } : command);
    this.#load = tendedLoad(this.#binding.state, load);
    this.#endIdle(this.#load);
    return answer;
  }

  /** Counts what was committed together in and out of versions; a version that drains ends with its last event. */
  count(drafts: readonly EventDraft[], now: number): void {
    // What is counted for the first time is read from rows that have all of this already.
    if (this.#load === null) this.#tend(drafts);
    else for (const draft of drafts) this.#countOne(draft, now);
  }

  /** Nobody has asked since the object woke: only the end of a version has to be found. */
  #tend(drafts: readonly EventDraft[]): void {
    const { state } = this.#binding;
    const isEnd = drafts.some(({ isOver, fresh }) => isOver && fresh.length > 0);
    if (isEnd && state.status !== "absent" && state.versions.some((one) => one.state === "draining"))
      this.#endIdle(this.load);
  }

  #countOne(draft: EventDraft, now: number): void {
    const { state } = this.#binding;
    if (draft.fresh.length === 0 || state.status === "absent" || this.#load === null) return;
    const { binding, replay } = draft.record;
    const { trigger_id, version } = binding;
    if (draft.isNew) {
      const begun = beginInFlight(state, this.#load, { trigger_id, version, now, is_replay: replay !== null });
      if (begun.ok) this.#load = begun.value;
    }
    if (!draft.isOver || draft.wasOver) return;
    const finished = finishInFlight(this.#load, { trigger_id, version, outcome: loadOutcome(draft.record) });
    if (finished.ok) this.#load = finished.value;
    this.#endIdle(this.#load);
  }

  #endIdle(load: BindingLoad): void {
    const { state } = this.#binding;
    try {
      for (const version of idleVersions(state, load)) this.#binding.execute({ type: "drained", version });
    } catch (error) {
      // What was not counted because of it is found out anew.
      this.#load = null;
      throw error;
    }
  }
}
