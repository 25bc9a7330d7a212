import type { Json } from "../lib/json.ts";
import type { Timestamp } from "../lib/time.ts";

/**
 * The kernel: every object is an instance of this interface.
 *
 * `decide` looks at the state and a command and says what happens; it changes nothing. `evolve` folds one event into
 * the state and cannot refuse. Whatever `decide` takes from its context is written into the events, so that a journal
 * folds to the same state on any machine.
 */
export interface Machine<State, Command, Event, Effect, Reply> {
  readonly initial: State;
  readonly decide: (state: State, command: Command, context: Context) => Decision<Event, Effect, Reply, State>;
  readonly evolve: (state: State, event: Event) => State;
}

/** What a command leads to: facts, orders to the outside and an answer; or a refusal that changes nothing. */
export type Decision<Event, Effect, Reply, State = never> =
  | {
      readonly ok: true;
      readonly events: readonly Event[];
      readonly effects: readonly Effect[];
      readonly reply: Reply;
      /** The fold of the events, where deciding has made it on the way: it spares the shell a second one. */
      readonly state?: State;
    }
  | { readonly ok: false; readonly rejection: Rejection };

/** The only source of non-determinism of a machine. */
export interface Context {
  /** The moment of the command. */
  readonly now: Timestamp;
  /** A fresh id, `<prefix>_<uuid v7>`, or the bare uuid for an empty prefix (spec/workflow 0.4). */
  readonly nextId: (prefix: string) => string;
}

/** An expected refusal. It is a value also over RPC and becomes a problem document on the wire. */
export interface Rejection {
  /** A code of the problem table (`schema/problem.ts`). */
  readonly code: string;
  /** The text for people; where the specification fixes an error text, exactly that text. */
  readonly detail: string;
  /** Facts for programs, such as the path of each bad field. */
  readonly details?: Json;
}

/** A command's answer: the machine's reply, or a refusal. */
export type Answer<Reply> =
  | { readonly ok: true; readonly reply: Reply }
  | { readonly ok: false; readonly rejection: Rejection };

/** A refusal as a decision. */
export const reject = (
  code: string,
  detail: string,
  details?: Json,
): { readonly ok: false; readonly rejection: Rejection } => ({
  ok: false,
  rejection: details === undefined ? { code, detail } : { code, detail, details },
});

/** Folds events into a state. */
export const fold = <State, Event>(
  machine: { readonly evolve: (state: State, event: Event) => State },
  state: State,
  events: Iterable<Event>,
): State => {
  let current = state;
  for (const event of events) current = machine.evolve(current, event);
  return current;
};
