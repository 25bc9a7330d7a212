import * as z from "zod";
import { runRowSchema } from "../schema/api-run.ts";
import { eventRowSchema } from "../schema/api-event.ts";
import type { Consumer } from "./consumer.ts";
import { report, textOf } from "./report.ts";

const base = { v: z.literal(1), seq: z.int().nonnegative(), tenant: z.string().min(1) };

const indexMessage = z.union([z.object({ ...base, run: runRowSchema }), z.object({ ...base, event: eventRowSchema })]);

/** What an object says about a row of a list. */
export type IndexMessage = z.output<typeof indexMessage>;

type Row = Readonly<Record<string, string | number | null>>;

const FINAL: ReadonlySet<unknown> = new Set(["completed", "failed", "cancelled"]);

/** A list: its table, the key of a row, and by what a row is newer than another. */
interface List {
  readonly table: "runs" | "events";
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

const EVENTS: List = {
  table: "events",
  key: "event_id",
  order: (prefix) => `(${prefix}.seq)`,
  rank: (row) => [Number(row["seq"])],
};

interface Target {
  readonly list: List;
  readonly row: Row;
}

const targetOf = (message: IndexMessage): Target => {
  const { seq, tenant } = message;
  return "run" in message
    ? { list: RUNS, row: { tenant, seq, ...message.run } }
    : { list: EVENTS, row: { tenant, seq, ...message.event } };
};

/** Stores the row unless a newer one is there already. */
const upsert = (db: D1Database, { list: { table, key, order }, row }: Target): D1PreparedStatement => {
  const columns = Object.keys(row);
  const updates = columns.filter((column) => column !== "tenant" && column !== key);
  const sql =
    `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")}) ` +
    `ON CONFLICT (tenant, ${key}) DO UPDATE SET ${updates.map((column) => `${column} = excluded.${column}`).join(", ")} ` +
    `WHERE ${order("excluded")} >= ${order(table)}`;
  return db.prepare(sql).bind(...Object.values(row));
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

/** Brings the lists up to date: one database batch for a batch of messages, in whatever order they come. */
export const indexRows: Consumer = async (batch, env) => {
  const good: Message[] = [];
  const targets: Target[] = [];
  for (const message of batch.messages) {
    const decoded = indexMessage.safeParse(message.body);
    if (decoded.success) {
      good.push(message);
      targets.push(targetOf(decoded.data));
    } else {
      report("not an index message", { message_id: message.id, issue: decoded.error.issues[0]?.message });
      message.ack();
    }
  }
  if (targets.length === 0) return;
  try {
    await env.DB.batch(newest(targets).map((target) => upsert(env.DB, target)));
    for (const message of good) message.ack();
  } catch (error) {
    report("the lists could not be written", { error: textOf(error), messages: good.length });
    for (const message of good) message.retry();
  }
};
