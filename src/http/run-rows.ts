import type { RunQuery, RunRow } from "../schema/api-run.ts";
import { fromDatabase } from "./fault.ts";
import type { Position } from "./page.ts";

interface Condition {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

const where = (sql: string, ...values: readonly (string | number)[]): Condition => ({ sql, values });

const conditions = (tenant: string, query: RunQuery, after: Position | null): readonly Condition[] => {
  const found = [where("tenant = ?", tenant)];
  if (query.status !== undefined) found.push(where("status = ?", query.status));
  if (query.workflow_id !== undefined) found.push(where("workflow_id = ?", query.workflow_id));
  if (query.trigger_id !== undefined) found.push(where("trigger_id = ?", query.trigger_id));
  if (query.since !== undefined) found.push(where("created_at >= ?", new Date(query.since).toISOString()));
  if (query.q !== undefined) {
    const text = "task || char(10) || coalesce(workflow_name, workflow_id) || char(10) || run_id";
    // instr, because the platform limits the pattern of LIKE to 50 bytes.
    found.push(where(`instr(lower(${text}), lower(?)) > 0`, query.q));
  }
  if (after !== null) found.push(where("(created_at, run_id) < (?, ?)", ...after));
  return found;
};

const COLUMNS =
  "run_id, workflow_id, workflow_name, trigger_id, status, task, stage_count, total_cost, error, created_at, updated_at";

/** A tenant's runs that match the filters, newest first, after a position; one more than the limit where there are more. */
export const listRuns = async (
  db: D1Database,
  tenant: string,
  query: RunQuery,
  after: Position | null,
): Promise<readonly RunRow[]> => {
  const all = conditions(tenant, query, after);
  const sql = `SELECT ${COLUMNS} FROM runs WHERE ${all.map((one) => one.sql).join(" AND ")} ORDER BY created_at DESC, run_id DESC LIMIT ?`;
  const values = all.flatMap((one) => one.values);
  const { results } = await fromDatabase(
    db
      .prepare(sql)
      .bind(...values, query.limit + 1)
      .all<RunRow>(),
  );
  return results;
};

/** Where a list goes on after a run. */
export const runPosition = (row: RunRow): Position => [row.created_at, row.run_id];
