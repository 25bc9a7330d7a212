import { rfc3339 } from "../../lib/time.ts";
import { reject, type Context } from "../machine.ts";
import { decided, type EventDecision } from "./decided.ts";
import { classifyError } from "./error-class.ts";
import type {
  DeadLetter,
  DeadLetterReason,
  DeadLetterStep,
  EventCommand,
  EventEvent,
  EventRecord,
  EventState,
} from "./event.ts";

/** The dead letter that an event becomes (spec/triggers 12.3). */
export const deadLetter = (
  {
    error,
    reason,
    attempts,
  }: { readonly error: string; readonly reason: DeadLetterReason | null; readonly attempts: number },
  status: DeadLetterStep["status"],
  context: Context,
): DeadLetter => {
  const at = rfc3339(context.now);
  return {
    id: context.nextId("dlq"),
    state: "pending",
    error,
    error_class: classifyError(error),
    attempt_count: attempts,
    reason,
    history: [{ attempt: 1, at, status, error }],
    created_at: at,
    updated_at: at,
  };
};

/** The event that buries a dispatch. A replay is buried without a letter of its own: its original keeps it. */
export const buried = (
  record: EventRecord,
  cause: { readonly error: string; readonly reason: DeadLetterReason | null; readonly destination?: string | null },
  context: Context,
): EventEvent => {
  const attempts = record.attempts.length;
  const letter = deadLetter({ error: cause.error, reason: cause.reason, attempts }, "dlq", context);
  return {
    type: "dead_lettered",
    at: rfc3339(context.now),
    dead_letter: letter,
    destination: cause.destination ?? null,
  };
};

const stepped = (letter: DeadLetter, step: Omit<DeadLetterStep, "attempt" | "at">, at: string): DeadLetter => ({
  ...letter,
  error: step.error ?? letter.error,
  updated_at: at,
  history: [...letter.history, { attempt: letter.history.length + 1, at, ...step }],
});

/** Takes a dead letter off the list without handling it. */
export const discard = (
  state: EventState,
  { type: _type, ...why }: Extract<EventCommand, { readonly type: "discard" }>,
  context: Context,
): EventDecision => {
  const letter = state.status === "absent" ? null : state.dead_letter;
  if (letter === null || letter.state !== "pending")
    return reject("dead_letter_not_found", `unknown pending DLQ entry '${letter?.id ?? "none"}'`);
  const at = rfc3339(context.now);
  const next: DeadLetter = { ...stepped(letter, { status: "discarded", error: null, ...why }, at), state: "discarded" };
  return decided(state, [{ type: "dead_letter_changed", at, dead_letter: next }]);
};

/** What the end of a replay means for its original: a dead letter is resolved, goes on, or comes to be (spec/triggers 12.6). */
export const endReplay = (
  state: EventState,
  command: Extract<EventCommand, { readonly type: "end_replay" }>,
  context: Context,
): EventDecision => {
  if (state.status === "absent") return decided(state, []);
  const at = rfc3339(context.now);
  const { number, status, run_id, error } = command;
  const ended: EventEvent = { type: "replay_ended", at, number, status, run_id };
  const letter = afterReplay(state.dead_letter, { status, error, context });
  return decided(state, letter === null ? [ended] : [ended, { type: "dead_letter_changed", at, dead_letter: letter }]);
};

const afterReplay = (
  letter: DeadLetter | null,
  end: { readonly status: string; readonly error: string | null; readonly context: Context },
): DeadLetter | null => {
  const { status, context } = end;
  const at = rfc3339(context.now);
  const error = end.error ?? "the replay failed";
  const isPending = letter?.state === "pending";
  if (status === "dead_lettered") {
    if (!isPending) return deadLetter({ error, reason: null, attempts: 0 }, "replay_dlq", context);
    return { ...stepped(letter, { status: "replay_dlq", error }, at), error_class: classifyError(error) };
  }
  if (!isPending || (status !== "dispatched" && status !== "skipped")) return null;
  return { ...stepped(letter, { status: "replay_succeeded", error: null }, at), state: "resolved" };
};
