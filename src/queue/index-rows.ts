import * as z from "zod";
import { runRowSchema } from "../schema/api-run.ts";
import { eventRowSchema } from "../schema/api-event.ts";
import type { Consumer } from "./consumer.ts";
import { report, textOf } from "./report.ts";

const base = { v: z.literal(1), id: z.string(), seq: z.int().nonnegative(), tenant: z.string().min(1) };

const indexMessage = z.union([z.object({ ...base, run: runRowSchema }), z.object({ ...base, event: eventRowSchema })]);

/** What an object says about a row of a list. */
export type IndexMessage = z.output<typeof indexMessage>;

type Row = Readonly<Record<string, string | number | null>>;

interface Target {
  readonly table: "runs" | "events";
  readonly key: string;
  readonly row: Row;
}

const targetOf = (message: IndexMessage): Target => {
  const { seq, tenant } = message;
  return "run" in message
    ? { table: "runs", key: "run_id", row: { tenant, seq, ...message.run } }
    : { table: "events", key: "event_id", row: { tenant, seq, ...message.event } };
};

/** Stores the row unless a newer one is there already. */
const upsert = (db: D1Database, { table, key, row }: Target): D1PreparedStatement => {
  const columns = Object.keys(row);
  const updates = columns.filter((column) => column !== "tenant" && column !== key);
  const sql =
    `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")}) ` +
    `ON CONFLICT (tenant, ${key}) DO UPDATE SET ${updates.map((column) => `${column} = excluded.${column}`).join(", ")} ` +
    `WHERE excluded.seq > ${table}.seq`;
  return db.prepare(sql).bind(...Object.values(row));
};

/** Of several rows for one thing the newest. */
const newest = (targets: readonly Target[]): readonly Target[] => {
  const found = new Map<string, Target>();
  for (const target of targets) {
    const name = JSON.stringify([target.table, target.row["tenant"], target.row[target.key]]);
    const known = found.get(name);
    if (known === undefined || Number(target.row["seq"]) > Number(known.row["seq"])) found.set(name, target);
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
