import type { WorkerQuery, WorkerRow } from "../schema/api-worker.ts";
import { fromDatabase } from "./fault.ts";
import type { Position } from "./page.ts";

const COLUMNS =
  "worker_id, name, mode, status, task, cycle, run_id, parent_run_id, parent_worker_id, error, created_at, updated_at";

/** A tenant's workers that match the filters, newest first, after a position; one more than the limit where there are more. */
export const listWorkers = async (
  db: D1Database,
  tenant: string,
  query: WorkerQuery,
  after: Position | null,
): Promise<readonly WorkerRow[]> => {
  const equals = (["status", "mode", "parent_run_id"] as const).flatMap((column) => {
    const value = query[column];
    return value === undefined ? [] : [{ sql: `${column} = ?`, values: [value] }];
  });
  const later = after === null ? [] : [{ sql: "(created_at, worker_id) < (?, ?)", values: [...after] }];
  const all = [{ sql: "tenant = ?", values: [tenant] }, ...equals, ...later];
  const sql = `SELECT ${COLUMNS} FROM workers WHERE ${all.map((one) => one.sql).join(" AND ")} ORDER BY created_at DESC, worker_id DESC LIMIT ?`;
  const values = all.flatMap((one) => one.values);
  const { results } = await fromDatabase(
    db
      .prepare(sql)
      .bind(...values, query.limit + 1)
      .all<WorkerRow>(),
  );
  return results;
};

/** Ids of a tenant's workers that the list does not show as ended, in ascending order after one. */
export const openWorkers = async (
  db: D1Database,
  tenant: string,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly string[]> => {
  const sql =
    "SELECT worker_id FROM workers WHERE tenant = ? AND worker_id > ? AND status IN ('running', 'awaiting', 'suspended') ORDER BY worker_id LIMIT ?";
  const { results } = await fromDatabase(
    db.prepare(sql).bind(tenant, page.after, page.limit).all<{ readonly worker_id: string }>(),
  );
  return results.map(({ worker_id: id }) => id);
};

/** Where a list goes on after a worker. */
export const workerPosition = (row: WorkerRow): Position => [row.created_at, row.worker_id];
