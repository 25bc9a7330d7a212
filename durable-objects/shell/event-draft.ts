import { type Context, fold, type Rejection } from "../../src/engine/machine.ts";
import type {
  EventCommand,
  EventEffect,
  EventEvent,
  EventRecord,
  EventReply,
  EventState,
} from "../../src/engine/trigger/event.ts";
import { isFinal } from "../../src/engine/trigger/evolve.ts";
import { type LogRecord, logRecords } from "../../src/engine/trigger/log.ts";
import { eventMachine } from "../../src/engine/trigger/machine.ts";
import { type EncodedEvent, encodeEvent, type KeptEvent } from "./keyed-events.ts";

/** One event while a request changes it; nothing is written before the whole of it is known. */
export class EventDraft {
  readonly key: string;
  /** Whether the event is new to its row. */
  readonly isNew: boolean;
  readonly #context: Context;
  readonly #known: readonly EventEvent[];
  readonly #before: EventState;
  #state: EventState;
  #fresh: readonly EventEvent[] = [];
  #effects: readonly EventEffect[] = [];
  #reply: EventReply | null = null;
  /** How much of what has happened in this request is written down. */
  written = 0;

  constructor(key: string, kept: KeptEvent, context: Context) {
    this.key = key;
    this.isNew = kept.state.status === "absent";
    this.#known = kept.journal;
    this.#before = kept.state;
    this.#state = kept.state;
    this.#context = context;
  }

  get state(): EventState {
    return this.#state;
  }

  /** The event; only for one that is there. */
  get record(): EventRecord {
    if (this.#state.status === "absent") throw new Error("the event is absent");
    return this.#state;
  }

  /** What has happened to it in this request. */
  get fresh(): readonly EventEvent[] {
    return this.#fresh;
  }

  get journal(): readonly EventEvent[] {
    return [...this.#known, ...this.#fresh];
  }

  get effects(): readonly EventEffect[] {
    return this.#effects;
  }

  get reply(): EventReply | null {
    return this.#reply;
  }

  /** Tells the event; a refusal changes nothing. */
  tell(command: EventCommand): Rejection | null {
    const decision = eventMachine.decide(this.#state, command, this.#context);
    if (!decision.ok) return decision.rejection;
    this.#state = fold(eventMachine, this.#state, decision.events);
    this.#fresh = [...this.#fresh, ...decision.events];
    this.#effects = [...this.#effects, ...decision.effects];
    this.#reply = decision.reply;
    return null;
  }

  /** Counts up with everything that happens to the event. */
  get seq(): number {
    return this.#known.length + this.#fresh.length;
  }

  /** Whether its dispatch is over, and whether it was before this request. */
  get isOver(): boolean {
    return isFinal(this.#state);
  }

  get wasOver(): boolean {
    return isFinal(this.#before);
  }

  /** The event for its row; null when it is too large for one. */
  get encoded(): EncodedEvent | null {
    return encodeEvent(this.journal, this.record);
  }

  /** Folds what is known to have happened. */
  fold(event: EventEvent): EventRecord {
    this.#state = eventMachine.evolve(this.#state, event);
    return this.record;
  }

  /** What has happened to it in this request, in the words of the event log. */
  log(): readonly LogRecord[] {
    let state = this.#before;
    return this.#fresh.flatMap((event) => {
      state = eventMachine.evolve(state, event);
      return state.status === "absent" ? [] : logRecords(state, event);
    });
  }
}
