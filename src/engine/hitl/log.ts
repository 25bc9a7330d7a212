import type { Json, JsonObject } from "../../lib/json.ts";
import { type Asking, envelopeOf } from "./envelope.ts";
import { HITL_TOPICS, type HitlKind } from "./kind.ts";
import type { HitlEvent } from "./state.ts";

/** A line of the audit of a request (spec/workers 24.1). */
export interface HitlRecord {
  readonly topic: string;
  readonly kind: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: JsonObject;
}

const REQUESTED: Readonly<Record<HitlKind, string>> = {
  question: "hitl.question_asked",
  approval: "hitl.approval_requested",
  dual_control: "hitl.dual_control_requested",
  escalation: "hitl.escalation_issued",
};

/** The kind under which an event of a request is logged (spec/workers 24.1). */
export const recordKind = (kind: HitlKind, event: HitlEvent): string => {
  switch (event.type) {
    case "requested":
      return REQUESTED[kind];
    case "responded":
      return kind === "escalation" ? "hitl.escalation_accepted" : "hitl.response_received";
    case "timed_out":
      return "hitl.timeout";
    case "cancelled":
      return "hitl.cancelled";
    default:
      return `hitl.${kind}_${event.type}`;
  }
};

const payloadOf = (asking: Asking, event: HitlEvent): JsonObject => {
  const { request_id, trace_id } = asking;
  switch (event.type) {
    case "requested":
      return envelopeOf(asking) as unknown as JsonObject;
    case "responded":
      return event.response as unknown as JsonObject;
    case "approved":
      return { request_id, record: event.record as unknown as Json };
    case "denied":
      return { request_id, reviewer: event.reviewer, reason: event.reason };
    case "timed_out":
      return { request_id, kind: asking.asked.kind, trace_id, timed_out_at: event.at };
    case "cancelled":
      return { request_id, reason: event.reason };
    case "executed":
      return { request_id, ...(event.result === undefined ? {} : { result: event.result }) };
  }
};

const headersOf = ({ request_id, trace_id, run_id }: Asking, event: HitlEvent): Readonly<Record<string, string>> =>
  event.type === "responded" ? { request_id } : { request_id, trace_id, ...(run_id === null ? {} : { run_id }) };

/** An event of a request as the audit has it (spec/workers 24.1, 24.2). */
export const recordOf = (asking: Asking, event: HitlEvent): HitlRecord => ({
  topic: HITL_TOPICS[asking.asked.kind],
  kind: recordKind(asking.asked.kind, event),
  headers: headersOf(asking, event),
  payload: payloadOf(asking, event),
});
