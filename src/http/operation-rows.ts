import type { OperationItem, OperationKind, OperationRequest } from "../schema/api-operation.ts";
import { fromDatabase } from "./fault.ts";

/** An operation on many events, and how far it has come. */
export interface Operation {
  readonly tenant: string;
  readonly operation_id: string;
  readonly kind: OperationKind;
  readonly state: "running" | "done";
  readonly request: OperationRequest;
  /** The last event or dead letter that was looked at. */
  readonly cursor: string;
  readonly matched: number;
  readonly executed: number;
  readonly skipped: number;
  readonly created_at: string;
  readonly updated_at: string;
}

/** An event that an operation may concern. */
export interface Candidate {
  /** Its place in the order of the operation. */
  readonly cursor: string;
  readonly event_id: string;
  readonly trigger_id: string;
  readonly dedupe_key: string;
  readonly shard: number | null;
}

/** Begins an operation; one that has begun is left as it is. */
export const beginOperation = async (
  db: D1Database,
  operation: Pick<Operation, "tenant" | "operation_id" | "kind" | "request" | "created_at">,
): Promise<void> => {
  const { tenant, operation_id, kind, request, created_at } = operation;
  const statement = db
    .prepare(
      `INSERT INTO operations (tenant, operation_id, kind, state, request, cursor, matched, executed, skipped, created_at, updated_at)
       VALUES (?, ?, ?, 'running', ?, '', 0, 0, 0, ?, ?) ON CONFLICT DO NOTHING`,
    )
    .bind(tenant, operation_id, kind, JSON.stringify(request), created_at, created_at);
  await fromDatabase(statement.run());
};

/** An operation of a tenant; null when there is none. */
export const findOperation = async (db: D1Database, tenant: string, operationId: string): Promise<Operation | null> => {
  const row = await fromDatabase(
    db
      .prepare("SELECT * FROM operations WHERE tenant = ? AND operation_id = ?")
      .bind(tenant, operationId)
      .first<Omit<Operation, "request"> & { readonly request: string }>(),
  );
  return row === null ? null : { ...row, request: JSON.parse(row.request) as OperationRequest };
};

const earlier = (one: string | undefined, other: string): string => {
  if (one === undefined) return other;
  const text = new Date(one).toISOString();
  return text < other ? text : other;
};

/** How far the time in an id may be from the time beside it. */
const SLACK_MS = 60_000;

/** What the ids of a moment begin with, or come next to (UUID version 7). */
const idAt = (prefix: string, at: string, slack: number): string => {
  const ms = Math.max(0, Date.parse(at) + slack);
  const digits = ms.toString(16).padStart(12, "0");
  return `${prefix}_${digits.slice(0, 8)}-${digits.slice(8)}`;
};

/** The next events an operation has to look at. What came after it had begun is not among them. */
export const nextCandidates = async (
  db: D1Database,
  operation: Operation,
  limit: number,
): Promise<readonly Candidate[]> => {
  const { tenant, kind, request, cursor, created_at } = operation;
  const isLetters = kind === "dlq_retry" || kind === "dlq_discard";
  const [key, at, prefix] = isLetters ? ["dlq_id", "created_at", "dlq"] : ["event_id", "received_at", "trigger_evt"];
  const until = earlier(request.until, created_at);
  // Ids are in the order of time: what lies outside of it is not even read.
  const first = request.since === undefined ? "" : idAt(prefix, request.since, -SLACK_MS);
  const last = idAt(prefix, until, SLACK_MS);
  const conditions = [`tenant = ? AND ${key} > ? AND ${key} < ? AND ${at} <= ?`];
  const values: (string | number)[] = [tenant, cursor > first ? cursor : first, last, until];
  const add = (condition: string, value: string | undefined): void => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  if (isLetters) conditions.push("dead_letters.state = 'pending'");
  add("trigger_id = ?", request.trigger_id);
  add("dead_letters.error_class = ?", request.error_class);
  add(`${at} >= ?`, request.since === undefined ? undefined : new Date(request.since).toISOString());
  const from = isLetters ? "dead_letters JOIN events USING (tenant, event_id, trigger_id)" : "events";
  const sql = `SELECT ${key} AS cursor, event_id, trigger_id, dedupe_key, shard FROM ${from}
    WHERE ${conditions.join(" AND ")} ORDER BY ${key} LIMIT ?`;
  const { results } = await fromDatabase(
    db
      .prepare(sql)
      .bind(...values, limit)
      .all<Candidate>(),
  );
  return results;
};

/** Writes down how far an operation has come from where it was; whoever comes second changes nothing. */
export const storeProgress = async (
  db: D1Database,
  {
    before,
    after,
    items,
  }: { readonly before: Operation; readonly after: Operation; readonly items: readonly OperationItem[] },
): Promise<void> => {
  const { tenant, operation_id, state, cursor, matched, executed, skipped, updated_at } = after;
  await fromDatabase(
    db.batch([
      db
        .prepare(
          `INSERT INTO operation_items (tenant, operation_id, position, item)
           SELECT ?1, ?2, ?3 + json_each.key, json_each.value FROM json_each(?4)
           WHERE EXISTS (SELECT 1 FROM operations WHERE tenant = ?1 AND operation_id = ?2 AND state = 'running' AND cursor = ?5 AND matched = ?3)
           ON CONFLICT DO NOTHING`,
        )
        .bind(tenant, operation_id, before.matched, JSON.stringify(items), before.cursor),
      db
        .prepare(
          `UPDATE operations SET state = ?, cursor = ?, matched = ?, executed = ?, skipped = ?, updated_at = ?
           WHERE tenant = ? AND operation_id = ? AND state = 'running' AND cursor = ? AND matched = ?`,
        )
        .bind(
          state,
          cursor,
          matched,
          executed,
          skipped,
          updated_at,
          tenant,
          operation_id,
          before.cursor,
          before.matched,
        ),
    ]),
  );
};

/** What an operation did, from a position on. */
export const listItems = async (
  db: D1Database,
  operation: Pick<Operation, "tenant" | "operation_id">,
  page: { readonly from: number; readonly limit: number },
): Promise<readonly OperationItem[]> => {
  const { results } = await fromDatabase(
    db
      .prepare(
        "SELECT item FROM operation_items WHERE tenant = ? AND operation_id = ? AND position >= ? ORDER BY position LIMIT ?",
      )
      .bind(operation.tenant, operation.operation_id, page.from, page.limit)
      .all<{ readonly item: string }>(),
  );
  return results.map((row) => JSON.parse(row.item) as OperationItem);
};

/** Operations that have not moved since a moment. */
export const stoppedOperations = async (
  db: D1Database,
  before: string,
  limit: number,
): Promise<readonly Pick<Operation, "tenant" | "operation_id">[]> => {
  const { results } = await db
    .prepare(
      "SELECT tenant, operation_id FROM operations WHERE state = 'running' AND updated_at < ? ORDER BY updated_at LIMIT ?",
    )
    .bind(before, limit)
    .all<Pick<Operation, "tenant" | "operation_id">>();
  return results;
};
