import { fold } from "../../../src/engine/machine.ts";
import type { Admission } from "../../../src/engine/trigger/admission.ts";
import type {
  AcceptEvent,
  EventCommand,
  EventEffect,
  EventEvent,
  EventRecord,
  EventReply,
  EventState,
  HandlerReport,
} from "../../../src/engine/trigger/event.ts";
import { eventMachine } from "../../../src/engine/trigger/machine.ts";
import { accept, binding, contextAt, NOON, settle } from "./fixture.ts";

/** What telling an event something led to. */
export interface Told {
  readonly state: EventState;
  readonly reply: EventReply | null;
  readonly rejection: string | null;
  readonly detail: string | null;
  readonly events: readonly string[];
  readonly journal: readonly EventEvent[];
  readonly effects: readonly EventEffect[];
}

/** Tells an event something; a refusal leaves it as it is. */
export const tell = (state: EventState, command: EventCommand, now = NOON): Told => {
  const decision = eventMachine.decide(state, command, contextAt(now));
  if (!decision.ok) {
    const { code, detail } = decision.rejection;
    return { state, reply: null, rejection: code, detail, events: [], journal: [], effects: [] };
  }
  const { events, effects, reply } = decision;
  const next = fold(eventMachine, state, events);
  const types = events.map((event) => event.type);
  return { state: next, reply, rejection: null, detail: null, events: types, journal: events, effects };
};

/** The event of a state; a test that has none is wrong. */
export const recordOf = (state: EventState): EventRecord => {
  if (state.status === "absent") throw new Error("there is no event");
  return state;
};

/** Nothing stands against an event. */
export const ADMITTED = { type: "admitted", verdicts: [], batch: null } as const satisfies Admission;

/** Begins an attempt at a destination whose circuit is closed. */
export const ATTEMPT = { type: "attempt", circuit: { type: "closed" }, lease_ms: 60_000 } as const;

/** A failure that may pass. */
export const FAILURE = {
  type: "failed",
  class: "infrastructure",
  code: "unavailable",
  detail: "no",
  retryable: true,
} as const satisfies HandlerReport;

/** The run that was asked for exists. */
export const STARTED = { type: "succeeded", result: { run_id: "r" } } as const satisfies HandlerReport;

/** Admits an event and begins its next attempt, as far as its time has come. */
export const begin = (state: EventState, now = NOON): Told =>
  tell(tell(state, { type: "admit", admission: ADMITTED }, now).state, ATTEMPT, now);

/** An event that was accepted with this definition. */
export const acceptedWith = (
  change: Readonly<Record<string, unknown>> = {},
  command: Partial<AcceptEvent> = {},
): EventState => tell(eventMachine.initial, accept({ binding: binding(change), ...command })).state;

/** Reports how the current attempt ended. */
export const settled = (state: EventState, report: HandlerReport, now = NOON): Told =>
  tell(state, settle(state, report), now);
