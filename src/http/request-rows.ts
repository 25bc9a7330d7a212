import { type PendingFilters } from "../engine/hitl/pending.ts";
import { type RequestIndexRow, rowView } from "../engine/run/request-view.ts";
import type { ApprovalRow } from "../schema/api-approval.ts";
import { fromDatabase } from "./fault.ts";
import type { Position } from "./page.ts";

/** A request of a run that waits, as its list keeps it. */
export type RequestRow = Pick<RequestIndexRow, "request_id" | "run_id" | "stage_id" | "requested_at" | "asking">;

/** A tenant's open requests that match, newest first, after a position; at most `limit`. */
export const listRequests = async (
  db: D1Database,
  tenant: string,
  filters: PendingFilters,
  after: Position | null,
): Promise<readonly RequestRow[]> => {
  const { since, until, kinds, agent, limit } = filters;
  const conditions = ["tenant = ?", "status = 'open'"];
  const values: (string | number)[] = [tenant];
  const add = (condition: string, ...bound: readonly string[]): void => {
    conditions.push(condition);
    values.push(...bound);
  };
  if (since !== null) add("requested_at >= ?", new Date(since).toISOString());
  if (until !== null) add("requested_at <= ?", new Date(until).toISOString());
  if (kinds !== null) add(`kind IN (${kinds.map(() => "?").join(", ")})`, ...kinds);
  if (agent !== null) add("agent = ?", agent);
  if (after !== null) add("(requested_at, request_id) < (?, ?)", ...after);
  const sql = `SELECT request_id, run_id, stage_id, requested_at, asking FROM requests INDEXED BY requests_open WHERE ${conditions.join(" AND ")} ORDER BY requested_at DESC, request_id DESC LIMIT ?`;
  const statement = db.prepare(sql).bind(...values, limit);
  const { results } = await fromDatabase(statement.all<RequestRow>());
  return results;
};

/** Where a list goes on after a request. */
export const requestPosition = (row: RequestRow): Position => [row.requested_at, row.request_id];

/** A request of a run as lists of approvals show it. */
export const requestApprovalRow = (row: RequestRow): ApprovalRow => {
  const view = rowView(row);
  const { request_id, prompt, approvers, metadata, timestamp } = view;
  return {
    ...view,
    id: request_id,
    source: "run",
    run_id: row.run_id,
    stage_id: row.stage_id,
    event_id: null,
    trigger_id: null,
    title: prompt,
    reason: "",
    detail: metadata,
    reviewers: approvers,
    requested_at: timestamp,
  };
};
