import { byCodePoint } from "../lib/json.ts";
import type { DeadLetterRow } from "../schema/api-dead-letter.ts";
import type { DeadLetterQuery } from "../schema/api-dlq.ts";
import { fromDatabase } from "./fault.ts";
import type { Position } from "./page.ts";

const COLUMNS =
  "dlq_id, event_id, trigger_id, binding_version, provider, kind, state, error, error_class, created_at, updated_at";

/** Where the event of a dead letter lies. */
export interface DeadLetterPlace {
  readonly dlq_id: string;
  readonly event_id: string;
  readonly trigger_id: string;
  readonly dedupe_key: string;
  readonly shard: number | null;
}

/** Where the event of a dead letter lies; null when the list does not know it. */
export const findDeadLetter = (db: D1Database, tenant: string, dlqId: string): Promise<DeadLetterPlace | null> =>
  fromDatabase(
    db
      .prepare(
        `SELECT dlq_id, event_id, trigger_id, events.dedupe_key, events.shard FROM dead_letters JOIN events USING (tenant, event_id, trigger_id)
         WHERE tenant = ? AND dlq_id = ?`,
      )
      .bind(tenant, dlqId)
      .first<DeadLetterPlace>(),
  );

const STATES = ["pending", "resolved", "discarded"] as const;

/** Where a list goes on after a dead letter. */
export const deadLetterPosition = (row: DeadLetterRow): Position => [row.created_at, row.dlq_id];

const newestFirst = (left: DeadLetterRow, right: DeadLetterRow): number =>
  byCodePoint(deadLetterPosition(right).join(" "), deadLetterPosition(left).join(" "));

/**
 * A tenant's dead letters that match the filters, newest first; one more than the limit where there are more. Each state
 * is asked for by itself: its rows are in the order of an index, those of several would all have to be sorted.
 */
export const listDeadLetters = async (
  db: D1Database,
  tenant: string,
  query: DeadLetterQuery,
  after: Position | null,
): Promise<readonly DeadLetterRow[]> => {
  const conditions = ["tenant = ?", "state = ?"];
  const values: (string | number)[] = [];
  const add = (condition: string, ...bound: readonly string[]): void => {
    conditions.push(condition);
    values.push(...bound);
  };
  if (query.trigger_id !== undefined) add("trigger_id = ?", query.trigger_id);
  if (query.error_class !== undefined) add("error_class = ?", query.error_class);
  if (query.since !== undefined) add("created_at >= ?", new Date(query.since).toISOString());
  if (after !== null) add("(created_at, dlq_id) < (?, ?)", ...after);
  const sql = `SELECT ${COLUMNS} FROM dead_letters WHERE ${conditions.join(" AND ")} ORDER BY created_at DESC, dlq_id DESC LIMIT ?`;
  const wanted = query.limit + 1;
  const states = query.state === "all" ? STATES : [query.state];
  const statements = states.map((state) => db.prepare(sql).bind(tenant, state, ...values, wanted));
  const found = await fromDatabase(db.batch<DeadLetterRow>(statements));
  const rows = found.flatMap(({ results }) => results);
  return rows.toSorted(newestFirst).slice(0, wanted);
};
