import type { Json, JsonObject } from "../../lib/json.ts";
import { LAST_MOMENT, type Timestamp } from "../../lib/time.ts";
import { type Asked, type AskedApproval, type AskedDualControl, patienceOf } from "./asked.ts";
import type { HitlKind } from "./kind.ts";
import { momentText } from "./moment.ts";

/** Who asks, when, and what for. */
export interface Asking {
  readonly request_id: string;
  /** The agent or workflow that asks; empty outside a dispatch. */
  readonly agent: string;
  readonly trace_id: string;
  readonly run_id: string | null;
  readonly requested_at_ms: Timestamp;
  readonly asked: Asked;
}

/** A request as it is told to people and to the audit (spec/workers 24.2). */
export interface RequestEnvelope {
  readonly request_id: string;
  readonly kind: HitlKind;
  readonly agent: string;
  readonly trace_id: string;
  readonly run_id?: string;
  readonly requested_at: string;
  readonly payload: JsonObject;
}

/** When a request is over by itself; null for never. */
export const deadlineOfRequest = ({ asked, requested_at_ms: at }: Asking): Timestamp | null => {
  const patience = patienceOf(asked);
  return patience === null ? null : Math.min(at + patience, LAST_MOMENT);
};

const argsOf = (asked: AskedApproval | AskedDualControl): Json => {
  if (asked.kind === "approval") return asked.args ?? asked.detail;
  const { n, m, approvers } = asked;
  return { n, m, approvers };
};

/** The canonical ApprovalRequest of an approval or of dual control (spec/workers 24.4). */
const approvalRequest = (asking: Asking, asked: AskedApproval | AskedDualControl): JsonObject => {
  const deadline = deadlineOfRequest(asking);
  const isApproval = asked.kind === "approval";
  return {
    id: asking.request_id,
    action: asked.action,
    args: argsOf(asked),
    principal: (isApproval ? asked.principal : null) ?? asking.agent,
    requested_at: momentText(asking.requested_at_ms),
    ...(deadline === null ? {} : { deadline: momentText(deadline) }),
    approvers_required: isApproval ? asked.quorum : asked.n,
    evidence_refs: isApproval ? asked.evidence_refs : [],
    undo_metadata: isApproval ? asked.undo_metadata : null,
    capabilities_requested: isApproval ? asked.capabilities_requested : [],
  };
};

const payloadOf = (asking: Asking): JsonObject => {
  const { asked } = asking;
  if (asked.kind === "question") {
    const { prompt, schema, default: fallback, timeout_ms } = asked;
    return { prompt, schema, default: fallback, timeout_ms };
  }
  if (asked.kind === "escalation") {
    const { role, reason, capability_policy } = asked;
    return { role, reason, capability_policy };
  }
  const request = approvalRequest(asking, asked);
  if (asked.kind === "approval") {
    const { detail, quorum, reviewers, deadline_ms } = asked;
    return { approval_request: request, ...request, detail, quorum, reviewers, deadline_ms };
  }
  const { n, m, approvers, deadline_ms, release } = asked;
  const released = release === undefined ? {} : { release: { ...release } };
  return { approval_request: request, ...request, n, m, approvers, deadline_ms, ...released };
};

/** A request as it is told (spec/workers 24.2); it follows from what is asked, so that it is stored once. */
export const envelopeOf = (asking: Asking): RequestEnvelope => {
  const { request_id, agent, trace_id, run_id, requested_at_ms: at, asked } = asking;
  return {
    request_id,
    kind: asked.kind,
    agent,
    trace_id,
    ...(run_id === null ? {} : { run_id }),
    requested_at: momentText(at),
    payload: payloadOf(asking),
  };
};
