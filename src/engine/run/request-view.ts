import type { Json, JsonObject } from "../../lib/json.ts";
import { rfc3339 } from "../../lib/time.ts";
import type { Asking } from "../hitl/envelope.ts";
import { outcomeOfRequest } from "../hitl/outcome.ts";
import { type PendingRow, pendingRow } from "../hitl/pending.ts";
import type { RequestStatus } from "../hitl/state.ts";
import type { RunRequest, RunState } from "./state.ts";

/** A request of a run in the list of requests. */
export interface RequestIndexRow {
  readonly request_id: string;
  readonly run_id: string;
  readonly stage_id: string;
  readonly kind: string;
  readonly agent: string;
  readonly status: RequestStatus;
  readonly requested_at: string;
  readonly settled_at: string | null;
  /** What is asked, as JSON. */
  readonly asking: string;
}

/** A request of a run and what has become of it. */
export interface RequestView extends PendingRow {
  readonly run_id: string;
  readonly stage_id: string;
  readonly status: RequestStatus;
  readonly deadline: string | null;
  readonly settled_at: string | null;
  /** How many have to approve. */
  readonly approvers_required: number;
  /** Who has approved so far. */
  readonly approved_by: readonly string[];
  /** The answer, the approval's record, or the typed error; null while it is open (spec/workers 24.8). */
  readonly outcome: Json;
}

/** Something that has happened to a request, as the audit has it (spec/workers 24.1). */
export interface RequestLine {
  readonly at: string;
  readonly kind: string;
  readonly payload: JsonObject;
}

/** A request with all that has happened to it, where that was asked for. */
export interface LoggedRequest extends RequestView {
  readonly log?: readonly RequestLine[];
}

/** A request of a run as the list of requests keeps it. */
export const requestRow = ({ stage_id, request }: RunRequest): RequestIndexRow => {
  const { asking, status, settled_at } = request;
  const { request_id, run_id, agent, requested_at_ms: at, asked } = asking;
  return {
    request_id,
    run_id: run_id ?? "",
    stage_id,
    kind: asked.kind,
    agent,
    status,
    requested_at: rfc3339(at),
    settled_at,
    asking: JSON.stringify(asking),
  };
};

/** A row of the list as people see it. */
export const rowView = ({ asking }: Pick<RequestIndexRow, "asking">): PendingRow =>
  pendingRow({ asking: JSON.parse(asking) as Asking });

const outcomeOf = ({ request }: RunRequest): Json => {
  const outcome = outcomeOfRequest(request);
  if (outcome.type === "pending") return null;
  return outcome.type === "value" ? { value: outcome.value } : { error: outcome.error as unknown as JsonObject };
};

/** A request and what has become of it. */
export const requestView = (known: RunRequest): RequestView => {
  const { request, stage_id } = known;
  const { asking, deadline_ms: deadline, status, tally, settled_at } = request;
  const { asked } = asking;
  return {
    ...pendingRow(request),
    run_id: asking.run_id ?? "",
    stage_id,
    status,
    deadline: deadline === null ? null : rfc3339(deadline),
    settled_at,
    approvers_required: asked.kind === "approval" ? asked.quorum : asked.kind === "dual_control" ? asked.n : 1,
    approved_by: tally.reviewers,
    outcome: outcomeOf(known),
  };
};

/** A request of a run by its id; null where it made no such request. */
export const findRequest = (run: RunState, id: string): RequestView | null => {
  const known = run?.requests.get(id);
  return known === undefined ? null : requestView(known);
};
