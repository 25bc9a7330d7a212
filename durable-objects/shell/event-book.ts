import type { Context } from "../../src/engine/machine.ts";
import { type BindingState, definitionOf } from "../../src/engine/trigger/binding.ts";
import type { EventRecord } from "../../src/engine/trigger/event.ts";
import { type LogRecord, logRecords } from "../../src/engine/trigger/log.ts";
import type { TriggerEvent } from "../../src/schema/trigger.ts";
import type { Store } from "../storage/store.ts";
import { EventDraft } from "./event-draft.ts";
import { withoutStaleBody } from "./keyed-bodies.ts";
import { insertEvent, type KeptEvent, loadEvent, updateEvent } from "./keyed-events.ts";

const NO_EVENT: KeptEvent = { state: { status: "absent" }, journal: [] };

interface BookHosting {
  readonly store: Store;
  readonly context: () => Context;
  readonly binding: () => BindingState;
}

/** The rows of a trigger's events: read as drafts, and written when a draft has changed. */
export class EventBook {
  readonly #hosting: BookHosting;

  constructor(hosting: BookHosting) {
    this.#hosting = hosting;
  }

  /** The event of a key, to be told something. */
  draft(key: string): EventDraft {
    return new EventDraft(key, this.#load(key), this.#hosting.context());
  }

  /** A new event in the place of whatever the key had. */
  blank(key: string): EventDraft {
    return new EventDraft(key, NO_EVENT, this.#hosting.context());
  }

  /** Writes down what has happened to an event: one row. */
  write(draft: EventDraft): void {
    const { store } = this.#hosting;
    if (!draft.isNew) updateEvent(store, draft.key, draft.journal);
    else if (draft.encoded !== null) insertEvent(store, draft.key, draft.encoded);
    else throw new Error("the event is too large to be stored");
  }

  /** The event of a key without what its trigger keeps no longer; the row loses it as well. */
  fresh(key: string): EventDraft {
    const { store, context } = this.#hosting;
    const kept = this.#load(key);
    const rest = store.transaction(() => withoutStaleBody(store, { key, kept, now: context().now }));
    return new EventDraft(key, rest, context());
  }

  /** The events that are handled together with one, itself among them. */
  batchOf({ batch }: EventRecord): readonly TriggerEvent[] {
    return (batch ?? []).flatMap((key) => {
      const { state } = this.#load(key);
      return state.status === "absent" ? [] : [state.event];
    });
  }

  /** What happened to an event, in the words of the event log (spec/triggers 3). */
  log(key: string): readonly LogRecord[] {
    const replayed = this.blank(key);
    return this.#load(key).journal.flatMap((event) => logRecords(replayed.fold(event), event));
  }

  #load(key: string): KeptEvent {
    const state = this.#hosting.binding();
    if (state.status === "absent") return NO_EVENT;
    return loadEvent(this.#hosting.store, key, (version) => definitionOf(state, version));
  }
}
