import { digestOf } from "../lib/digest.ts";
import type { Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { stableUuid } from "../lib/stable-uuid.ts";
import { type Call, nowText } from "./call.ts";
import { fromDatabase } from "./fault.ts";
import { problem, type Problem } from "./problem.ts";

/** The caller's key and what it asked for, in the form that objects take; undefined without a key. */
export const keyOf = (
  call: Call,
  operation: string,
  request: unknown,
): { readonly key: string; readonly request_digest: string } | undefined =>
  call.idempotency_key === null
    ? undefined
    : { key: call.idempotency_key, request_digest: digestOf([operation, (request ?? null) as Json]) };

/** The id of what a call creates: with an idempotency key the same for every repetition. */
export const idFor = (call: Call, operation: string): string | null =>
  call.idempotency_key === null ? null : stableUuid([operation, call.tenant, call.idempotency_key].join("\n"));

/** What a write to the database answers. */
export interface Stored<Reply> {
  readonly status: number;
  readonly reply: Reply;
}

interface Write<Reply> extends Stored<Reply> {
  readonly statements: readonly D1PreparedStatement[];
}

interface Row {
  readonly request_digest: string;
  readonly status: number;
  readonly reply: string;
}

const recall = async <Reply>(
  call: Call,
  operation: string,
  digest: string,
): Promise<Result<Stored<Reply> | null, Problem>> => {
  const key = call.idempotency_key;
  const query = "SELECT request_digest, status, reply FROM idempotency WHERE tenant = ? AND operation = ? AND key = ?";
  const row = await fromDatabase(call.env.DB.prepare(query).bind(call.tenant, operation, key).first<Row>());
  if (row === null) return ok(null);
  if (row.request_digest !== digest)
    return err(problem("idempotency_key_reused", `the idempotency key "${key}" was used for another request`));
  return ok({ status: row.status, reply: JSON.parse(row.reply) as Reply });
};

/** Writes once for each idempotency key and gives every repetition the first answer (I5). */
export const writeOnce = async <Reply>(
  call: Call,
  operation: string,
  request: unknown,
  write: Write<Reply>,
): Promise<Result<Stored<Reply>, Problem>> => {
  const { DB } = call.env;
  const key = keyOf(call, operation, request);
  if (key === undefined) {
    await fromDatabase(DB.batch([...write.statements]));
    return ok(write);
  }
  const earlier = await recall<Reply>(call, operation, key.request_digest);
  if (!earlier.ok) return earlier;
  if (earlier.value !== null) return ok(earlier.value);
  const remember = DB.prepare(
    "INSERT INTO idempotency (tenant, operation, key, request_digest, status, reply, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
  ).bind(call.tenant, operation, key.key, key.request_digest, write.status, JSON.stringify(write.reply), nowText());
  // Two requests at once: the primary key lets one of them through, the other is told to try again.
  await fromDatabase(DB.batch([...write.statements, remember]));
  return ok(write);
};

/**
 * What a request will be known by, chosen before anything is done: every repetition with the same idempotency key gets
 * the same names and does the same thing again, which the object that is asked takes for the first one (I5). Of two
 * requests at once both get the names of one.
 */
export const claimOnce = async <Names>(
  call: Call,
  operation: string,
  request: unknown,
  names: Names,
): Promise<Result<Names, Problem>> => {
  const key = keyOf(call, operation, request);
  if (key === undefined) return ok(names);
  const claim = call.env.DB.prepare(
    "INSERT INTO idempotency (tenant, operation, key, request_digest, status, reply, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
  ).bind(call.tenant, operation, key.key, key.request_digest, 200, JSON.stringify(names), nowText());
  await fromDatabase(claim.run());
  const claimed = await recall<Names>(call, operation, key.request_digest);
  return claimed.ok ? ok(claimed.value?.reply ?? names) : claimed;
};
