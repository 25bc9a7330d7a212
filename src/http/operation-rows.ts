import type { OperationItem, OperationKind, OperationRequest } from "../schema/api-operation.ts";
import { fromDatabase } from "./fault.ts";

/** An operation on many events, and how far it has come. */
export interface Operation {
  readonly tenant: string;
  readonly operation_id: string;
  readonly kind: OperationKind;
  readonly state: "running" | "done";
  readonly request: OperationRequest;
  /** The time and the id of the last event or dead letter that was looked at. */
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
  /** Where it is about dead letters. */
  readonly dlq_id: string | null;
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

/** Where a list of candidates goes on: behind a moment, and behind an id among those of that moment. */
const placeOf = ({ cursor, request }: Operation): readonly [at: string, id: string] => {
  const end = cursor.indexOf(" ");
  if (end !== -1) return [cursor.slice(0, end), cursor.slice(end + 1)];
  return [request.since === undefined ? "" : new Date(request.since).toISOString(), ""];
};

/**
 * The next events an operation has to look at, oldest first: so nothing outside of its time is read. What came after it had
 * begun is not among them.
 */
export const nextCandidates = async (
  db: D1Database,
  operation: Operation,
  limit: number,
): Promise<readonly Candidate[]> => {
  const { tenant, kind, request, created_at } = operation;
  const isLetters = kind === "dlq_retry" || kind === "dlq_discard";
  const [key, at] = isLetters ? ["dlq_id", "created_at"] : ["event_id", "received_at"];
  const conditions = [`tenant = ? AND (${at}, ${key}) > (?, ?) AND ${at} <= ?`];
  const values: (string | number)[] = [tenant, ...placeOf(operation), earlier(request.until, created_at)];
  const add = (condition: string, value: string | undefined): void => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  if (isLetters) conditions.push("dead_letters.state = 'pending'");
  add("trigger_id = ?", request.trigger_id);
  add("dead_letters.error_class = ?", request.error_class);
  const from = isLetters ? "dead_letters JOIN events USING (tenant, event_id, trigger_id)" : "events";
  const dlqId = isLetters ? "dlq_id" : "NULL";
  const sql = `SELECT ${at} || ' ' || ${key} AS cursor, ${dlqId} AS dlq_id, event_id, trigger_id, dedupe_key, shard FROM ${from}
    WHERE ${conditions.join(" AND ")} ORDER BY ${at}, ${key} LIMIT ?`;
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
