import { rfc3339 } from "../../lib/time.ts";
import type { Context } from "../machine.ts";
import type { Admission } from "./admission.ts";
import { circuitOpenText } from "./circuit.ts";
import { buried } from "./dead-letter.ts";
import { decided, type EventDecision } from "./decided.ts";
import { dispatchIdFor, runIdFor } from "./dispatch.ts";
import type {
  ApprovalRequest,
  CircuitVerdict,
  EventCommand,
  EventEffect,
  EventEvent,
  EventRecord,
  EventState,
} from "./event.ts";
import { isFinal } from "./evolve.ts";
import { destinationOf, isWorkflow } from "./definition-handler.ts";
import { attemptLost } from "./settle.ts";

/** What an event needs next. */
export type NextStep = "none" | "admission" | "attempt";

const isEarly = ({ next_at }: EventRecord, now: number): boolean => next_at !== null && Date.parse(next_at) > now;

/** What an event that was called on has to do; a message is a hint: it may come twice, late, or before its time. */
export const nextStep = (record: EventRecord, now: number): NextStep => {
  switch (record.status) {
    case "accepted":
    case "retrying":
    case "deferred":
      if (isEarly(record, now)) return "none";
      return record.is_admitted ? "attempt" : "admission";
    // The row of its ticket says whether its time has come, not the clock.
    case "parked":
      return "admission";
    case "dispatching":
      return isWorkflow(record.binding.definition) || !isEarly(record, now) ? "attempt" : "none";
    default:
      return "none";
  }
};

const approvalOf = (admission: Extract<Admission, { type: "approval" }>, context: Context): ApprovalRequest => ({
  request_id: context.nextId("approval"),
  ...admission.needed,
  requested_at: rfc3339(context.now),
  decision: null,
});

const admissionEvent = (record: EventRecord, admission: Admission, context: Context): EventEvent => {
  const at = rfc3339(context.now);
  const { verdicts } = admission;
  switch (admission.type) {
    case "admitted":
      return { type: "admitted", at, verdicts, batch: admission.batch };
    case "parked": {
      const { due_at } = admission;
      return { type: "parked", at, verdicts, next_at: due_at === null ? null : rfc3339(due_at) };
    }
    case "skipped":
      return {
        type: "skipped",
        at,
        verdicts,
        stage: admission.stage,
        detail: admission.detail,
        result: admission.result,
      };
    case "deferred": {
      const { reason, result, until } = admission;
      return { type: "deferred", at, verdicts, reason, result, next_at: rfc3339(until) };
    }
    case "exhausted":
      return buried(
        record,
        { error: `trigger budget exhausted: ${admission.reason}`, reason: "budget_exhausted" },
        context,
      );
    case "approval": {
      const approval = approvalOf(admission, context);
      const { request_id, reason, reviewers } = approval;
      const result = { approval_required: true, request_id, reason, reviewers };
      return { type: "approval_requested", at, verdicts, approval, result };
    }
  }
};

/** Records what predicate, budgets and flow control said (spec/triggers 8, steps 6 to 8). */
export const admit = (state: EventState, admission: Admission, context: Context): EventDecision => {
  if (state.status === "absent" || isFinal(state) || state.is_admitted) return decided(state, []);
  const event = admissionEvent(state, admission, context);
  const isSameParking = state.status === "parked" && event.type === "parked" && event.next_at === state.next_at;
  if (isSameParking) return decided(state, []);
  const wake =
    event.type === "deferred" ? [{ type: "enqueue_dispatch", at_ms: Date.parse(event.next_at) } as const] : [];
  return decided(state, [event], wake);
};

const handle = (record: EventRecord): EventEffect => ({
  type: "handle",
  attempt: record.attempts.length,
  dispatch_id: record.dispatch_id ?? "",
  run_id: record.run_id,
});

const failsFast = (record: EventRecord, circuit: CircuitVerdict, context: Context): EventEvent | null => {
  if (circuit.type !== "open") return null;
  const destination = destinationOf(record.binding.definition);
  return buried(
    record,
    {
      error: circuitOpenText(destination, context.now + circuit.retry_after_ms, context.now),
      reason: "circuit_open",
      destination,
    },
    context,
  );
};

/** Begins the next attempt; a current one that may be ordered again is, because whoever had it may have died (E3). */
export const beginAttempt = (
  state: EventState,
  command: Extract<EventCommand, { readonly type: "attempt" }>,
  context: Context,
): EventDecision => {
  if (state.status === "absent" || nextStep(state, context.now) !== "attempt") return decided(state, []);
  const { definition } = state.binding;
  const current = state.status === "dispatching" ? state.attempts.at(-1) : undefined;
  if (current !== undefined) {
    if (isWorkflow(definition)) return decided(state, [], [handle(state)]);
    return attemptLost(state, current.attempt, context);
  }
  const refusal = failsFast(state, command.circuit, context);
  if (refusal !== null) return decided(state, [refusal]);
  const dispatch_id = dispatchIdFor(state.binding, state.event.id, state.replay?.number ?? 0);
  const runs = state.attempts.filter((attempt) => attempt.is_running).length;
  const started: EventEvent = {
    type: "dispatch_started",
    at: rfc3339(context.now),
    dispatch_id,
    run_id: isWorkflow(definition) ? runIdFor(dispatch_id, runs) : null,
    attempt: state.attempts.length + 1,
    lease_until: rfc3339(context.now + command.lease_ms),
  };
  const next = decided(state, [started]);
  return next.ok && next.state !== undefined && next.state.status !== "absent"
    ? { ...next, effects: [handle(next.state)] }
    : next;
};
