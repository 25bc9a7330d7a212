import { rfc3339 } from "../../lib/time.ts";
import { reject, type Context } from "../machine.ts";
import { circuitOpenedText } from "./circuit.ts";
import { buried } from "./dead-letter.ts";
import { decided, type EventDecision } from "./decided.ts";
import type {
  AttemptOutcome,
  DispatchError,
  EventCommand,
  EventEvent,
  EventRecord,
  EventState,
  FailureClass,
  HandlerReport,
  SettleDispatch,
} from "./event.ts";
import { isFinal } from "./evolve.ts";
import { destinationOf } from "./definition-handler.ts";
import { delayAfter, retryOf } from "./retry.ts";
import { isRunEnd } from "./run-outcome.ts";

type Failed = Extract<HandlerReport, { readonly type: "failed" }>;

const outcomeOf = (failure: FailureClass): AttemptOutcome => {
  if (failure === "timeout" || failure === "denied" || failure === "cancelled") return failure;
  return "failed";
};

const ended = (attempt: number, outcome: AttemptOutcome, error: DispatchError | null, at: string): EventEvent => ({
  type: "attempt_ended",
  at,
  end: { attempt, outcome, error },
});

/** A run that failed is tried again only where the trigger says so: what it did cannot be undone. */
const delayOf = (record: EventRecord, attempt: number): number | null => {
  const { definition } = record.binding;
  const wasRun = record.attempts.some((one) => one.attempt === attempt && one.is_running);
  if (wasRun && definition.retry === undefined) return null;
  return delayAfter(retryOf(definition.retry), attempt, record.dispatch_id ?? "");
};

const failed = (
  record: EventRecord,
  command: SettleDispatch & { outcome: Failed },
  context: Context,
): EventDecision => {
  const { attempt, outcome, circuit_opened: isOpened } = command;
  const { code, detail } = outcome;
  const error = { code, detail };
  const at = rfc3339(context.now);
  const end = ended(attempt, outcomeOf(outcome.class), error, at);
  if (outcome.class === "cancelled" || record.cancel !== null)
    return decided(record, [end, { type: "cancelled", at, error: detail }]);
  if (outcome.class === "denied" || outcome.class === "not_implemented")
    return decided(record, [end, { type: "dispatch_failed", at, error }]);
  const after = decided(record, [end]);
  const now = after.ok && after.state !== undefined && after.state.status !== "absent" ? after.state : record;
  if (isOpened === true) {
    const destination = destinationOf(record.binding.definition);
    const cause = { error: circuitOpenedText(destination, detail), reason: "circuit_open", destination } as const;
    return decided(record, [end, buried(now, cause, context)]);
  }
  const delay_ms = outcome.retryable ? delayOf(record, attempt) : null;
  if (delay_ms === null) {
    const reason = outcome.retryable ? null : "not_retryable";
    return decided(record, [end, buried(now, { error: detail, reason }, context)]);
  }
  const at_ms = context.now + delay_ms;
  const retry = { attempt: attempt + 1, delay_ms, error, next_at: rfc3339(at_ms) };
  return decided(record, [end, { type: "retry_scheduled", at, ...retry }], [{ type: "enqueue_dispatch", at_ms }]);
};

/** An attempt whose end nobody reported in time: whoever had it is gone. */
export const attemptLost = (record: EventRecord, attempt: number, context: Context): EventDecision =>
  failed(
    record,
    {
      type: "settle",
      dispatch_id: record.dispatch_id ?? "",
      attempt,
      outcome: {
        type: "failed",
        class: "timeout",
        code: "attempt_lost",
        detail: "the attempt timed out: nobody reported its end",
        retryable: true,
      },
    },
    context,
  );

/** An attempt that found nothing left to do. It went well, and its event is skipped (spec/workers 18.3). */
const needless = (
  record: EventRecord,
  {
    attempt,
    outcome: { code, detail: reason },
    at,
  }: {
    readonly attempt: number;
    readonly outcome: Extract<HandlerReport, { readonly type: "skipped" }>;
    readonly at: string;
  },
): EventDecision => {
  const verdict = { stage: "handler", outcome: "skipped", reason } as const;
  const result = { skipped: true, code, reason };
  const skipped = { stage: "handler", verdicts: [verdict], detail: { code, reason }, result } as const;
  return decided(record, [ended(attempt, "success", null, at), { type: "skipped", at, ...skipped }]);
};

const succeeded = (record: EventRecord, attempt: number, outcome: HandlerReport, context: Context): EventDecision => {
  const at = rfc3339(context.now);
  if (outcome.type === "running") {
    // Of an attempt that was given up: the next one starts the same run, and finds it.
    const isKnown = record.attempts.some(
      (one) => one.attempt === attempt && (one.is_running || one.settled_at !== null),
    );
    const events: readonly EventEvent[] = isKnown ? [] : [{ type: "run_started", at, attempt }];
    // Whoever asked for a cancellation did so before there was a run to stop.
    const stop = record.cancel !== null && record.run_id !== null;
    return decided(record, events, stop ? [{ type: "cancel_run", run_id: record.run_id }] : []);
  }
  if (outcome.type === "failed") return decided(record, []);
  if (record.cancel === null && outcome.type === "skipped") return needless(record, { attempt, outcome, at });
  if (record.cancel === null && outcome.type === "succeeded")
    return decided(record, [ended(attempt, "success", null, at), { type: "dispatched", at, result: outcome.result }]);
  // What it returned is not wanted any more (spec/triggers 11.1).
  const error = "trigger cancel request cancelled local handler";
  const stop = record.run_id === null ? [] : [{ type: "cancel_run", run_id: record.run_id } as const];
  const end = ended(attempt, "cancelled", { code: "cancelled", detail: error }, at);
  return decided(record, [end, { type: "cancelled", at, error }], stop);
};

/** A run that has ended was there, whether or not anybody has said so before: the next attempt starts another one. */
const runFailed = (
  record: EventRecord,
  command: SettleDispatch & { outcome: Failed },
  context: Context,
): EventDecision => {
  const { attempt } = command;
  if (record.attempts.at(-1)?.is_running === true) return failed(record, command, context);
  const started: EventEvent = { type: "run_started", at: rfc3339(context.now), attempt };
  const running = decided(record, [started]);
  if (!running.ok || running.state === undefined || running.state.status === "absent") return running;
  const end = failed(running.state, command, context);
  return end.ok ? { ...end, events: [started, ...end.events] } : end;
};

/** Records how an attempt went (spec/triggers 8 and 12). */
export const settle = (state: EventState, command: SettleDispatch, context: Context): EventDecision => {
  if (state.status === "absent" || isFinal(state)) return decided(state, []);
  const { dispatch_id, attempt, outcome } = command;
  const stale = reject("stale_attempt", `attempt ${attempt} of dispatch '${dispatch_id}' is not the current one`);
  const one = state.attempts.find((known) => known.attempt === attempt);
  if (dispatch_id !== state.dispatch_id || one === undefined) return stale;
  const isCurrent = state.status === "dispatching" && attempt === state.attempts.length;
  // A run that was given up for lost and exists all the same counts: the next attempt would start the same one.
  const isSameRun = one.run_id !== null && one.run_id === state.run_id;
  const about = isSameRun && state.status === "dispatching" ? state.attempts.length : attempt;
  if (outcome.type !== "failed") return isCurrent || isSameRun ? succeeded(state, about, outcome, context) : stale;
  const failure = { ...command, outcome };
  if (one.run_id !== null && isRunEnd(outcome)) {
    const isOpen = isSameRun && state.status === "dispatching";
    return isOpen ? runFailed(state, { ...failure, attempt: about }, context) : stale;
  }
  // Somebody else has started the run meanwhile: only its own end settles the attempt.
  if (one.is_running) return decided(state, []);
  return isCurrent ? failed(state, failure, context) : stale;
};

/** Stops a dispatch where it is (spec/triggers 13.1); a handler that is at work is told, and then reports. */
export const cancel = (
  state: EventState,
  command: Extract<EventCommand, { readonly type: "cancel" }>,
  context: Context,
): EventDecision => {
  if (state.status === "absent") return decided(state, []);
  if (isFinal(state))
    return reject("event_settled", `event '${state.event.id}' is ${state.status}: there is nothing left to cancel`);
  const at = rfc3339(context.now);
  const { type: _type, cause = "trigger cancel request", ...by } = command;
  const request: EventEvent = { type: "cancel_requested", at, cancel: { requested_at: at, ...by } };
  const asked = state.cancel === null && cause === "trigger cancel request" ? [request] : [];
  if (state.status === "dispatching") {
    const runId = state.attempts.at(-1)?.is_running === true ? state.run_id : null;
    return decided(state, asked, runId === null ? [] : [{ type: "cancel_run", run_id: runId }]);
  }
  const error =
    state.status === "retrying"
      ? `${cause} cancelled retry wait`
      : `${cause} cancelled dispatch before attempt ${state.attempts.length + 1}`;
  return decided(state, [...asked, { type: "cancelled", at, error }]);
};

/** Takes a person's answer to the request of an autonomy budget: it goes on, or is skipped (spec/triggers 25, decision 4). */
export const respond = (
  state: EventState,
  command: Extract<EventCommand, { readonly type: "respond" }>,
  context: Context,
): EventDecision => {
  if (state.status === "absent" || state.approval === null)
    return reject("approval_not_found", "nothing was asked about this event");
  if (state.status !== "waiting") return reject("approval_decided", "the request was already answered");
  const at = rfc3339(context.now);
  const { approved, reviewer, reason } = command;
  const decision: EventEvent = { type: "approval_decided", at, decision: { approved, reviewer, reason, at } };
  if (approved) return decided(state, [decision], [{ type: "enqueue_dispatch", at_ms: context.now }]);
  const detail = { approval: "denied", reviewer, reason };
  const verdict = { stage: "autonomy", outcome: "skipped", reason: reason ?? "the request was denied" } as const;
  const result = { skipped: true, approval: "denied", reason };
  return decided(state, [decision, { type: "skipped", at, stage: "approval", verdicts: [verdict], detail, result }]);
};
