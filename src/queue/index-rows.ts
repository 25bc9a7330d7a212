import * as z from "zod";
import { nowText } from "../http/call.ts";
import { runRowSchema } from "../schema/api-run.ts";
import { deadLetterChangeSchema } from "../schema/api-dead-letter.ts";
import { eventRowSchema } from "../schema/api-event.ts";
import { workerRowSchema } from "../schema/api-worker.ts";
import { requestRowSchema } from "../schema/request-row.ts";
import { seriesListSchema } from "../schema/metric-series.ts";
import type { Consumer } from "./consumer.ts";
import { type Addition, metricStatements } from "./metric-rows.ts";
import { report, textOf } from "./report.ts";

const metrics = seriesListSchema;
const shared = { v: z.literal(1), tenant: z.string().min(1) };
const base = { ...shared, seq: z.int().nonnegative(), metrics: metrics.optional() };

const indexMessage = z.union([
  z.object({ ...base, run: runRowSchema }),
  z.object({ ...base, worker: workerRowSchema }),
  z.object({ ...base, event: eventRowSchema, dead_letter: deadLetterChangeSchema.optional() }),
  z.object({ ...base, request: requestRowSchema }),
  // Strict, so that a message about a row that cannot be read is not taken for one of these.
  z.strictObject({ ...shared, metrics: metrics.optional(), dead_letter: deadLetterChangeSchema }),
  z.strictObject({ ...shared, metrics }),
]);

/** What is said about a row of a list, with what was counted meanwhile, or only that. */
export type IndexMessage = z.output<typeof indexMessage>;

type Row = Readonly<Record<string, string | number | null | undefined>>;

const FINAL: ReadonlySet<unknown> = new Set(["completed", "failed", "cancelled"]);

/** A list: its table, the key of a row, and by what a row is newer than another. */
interface List {
  readonly table: "runs" | "workers" | "events" | "dead_letters" | "requests";
  readonly key: string;
  /** The same order in SQL and here; of equal rows the one that comes later counts. */
  readonly order: (prefix: string) => string;
  readonly rank: (row: Row) => readonly (string | number)[];
}

/** A run that has ended never goes back (I6); before that its own clock orders its rows. */
const RUNS: List = {
  table: "runs",
  key: "run_id",
  order: (prefix) => `(${prefix}.status IN ('completed', 'failed', 'cancelled'), ${prefix}.updated_at, ${prefix}.seq)`,
  rank: (row) => [FINAL.has(row["status"]) ? 1 : 0, String(row["updated_at"]), Number(row["seq"])],
};

const WORKERS: List = {
  table: "workers",
  key: "worker_id",
  order: (prefix) => `(${prefix}.seq)`,
  rank: (row) => [Number(row["seq"])],
};

const EVENTS: List = {
  table: "events",
  key: "event_id",
  order: (prefix) => `(${prefix}.seq)`,
  rank: (row) => [Number(row["seq"])],
};

const DEAD_LETTERS: List = { ...EVENTS, table: "dead_letters", key: "dlq_id" };

/** A request that has settled never opens again (spec/workers 24.5); its message may overtake an earlier one. */
const REQUESTS: List = {
  table: "requests",
  key: "request_id",
  order: (prefix) => `(${prefix}.status <> 'open', ${prefix}.seq)`,
  rank: (row) => [row["status"] === "open" ? 0 : 1, Number(row["seq"])],
};

interface Target {
  readonly list: List;
  readonly row: Row;
}

const targetsOf = (message: IndexMessage): readonly Target[] => {
  const { tenant } = message;
  const dead = "dead_letter" in message ? message.dead_letter : undefined;
  const deadLetters = dead === undefined ? [] : [{ list: DEAD_LETTERS, row: { tenant, ...dead } }];
  if (!("seq" in message)) return deadLetters;
  const { seq } = message;
  if ("run" in message) return [{ list: RUNS, row: { tenant, seq, ...message.run } }];
  if ("worker" in message) return [{ list: WORKERS, row: { tenant, seq, ...message.worker } }];
  if ("request" in message) return [{ list: REQUESTS, row: { tenant, seq, ...message.request } }];
  return [{ list: EVENTS, row: { tenant, seq, ...message.event } }, ...deadLetters];
};

/** Stores the row unless a newer one is there already. */
const upsert = (db: D1Database, { list: { table, key, order }, row }: Target): D1PreparedStatement => {
  const columns = Object.keys(row).filter((column) => row[column] !== undefined);
  const updates = columns.filter((column) => column !== "tenant" && column !== key);
  const sql =
    `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")}) ` +
    `ON CONFLICT (tenant, ${key}) DO UPDATE SET ${updates.map((column) => `${column} = excluded.${column}`).join(", ")} ` +
    `WHERE ${order("excluded")} >= ${order(table)}`;
  return db.prepare(sql).bind(...columns.map((column) => row[column]));
};

const isOlder = (a: readonly (string | number)[], b: readonly (string | number)[]): boolean => {
  for (const [index, value] of a.entries()) {
    const other = b[index];
    if (other !== undefined && value !== other) return value < other;
  }
  return false;
};

/** Of several rows for one thing the newest. */
const newest = (targets: readonly Target[]): readonly Target[] => {
  const found = new Map<string, Target>();
  for (const target of targets) {
    const { list, row } = target;
    const name = JSON.stringify([list.table, row["tenant"], row[list.key]]);
    const known = found.get(name);
    if (known === undefined || !isOlder(list.rank(row), list.rank(known.row))) found.set(name, target);
  }
  return [...found.values()];
};

/** Brings lists and counters up to date: one database batch for a batch of messages, in whatever order they come. */
export const indexRows: Consumer = async (batch, env) => {
  const good: Message[] = [];
  const targets: Target[] = [];
  const additions: Addition[] = [];
  for (const message of batch.messages) {
    const decoded = indexMessage.safeParse(message.body);
    if (decoded.success) {
      good.push(message);
      targets.push(...targetsOf(decoded.data));
      const { tenant, metrics: series = [] } = decoded.data;
      if (series.length > 0) additions.push({ tenant, series, at: message.timestamp });
    } else {
      report("not an index message", { message_id: message.id, issue: decoded.error.issues[0]?.message });
      message.ack();
    }
  }
  const statements = [
    ...newest(targets).map((target) => upsert(env.DB, target)),
    ...metricStatements(env.DB, additions, nowText()),
  ];
  try {
    if (statements.length > 0) await env.DB.batch(statements);
    for (const message of good) message.ack();
  } catch (error) {
    report("the lists could not be written", { error: textOf(error), messages: good.length });
    for (const message of good) message.retry();
  }
};
