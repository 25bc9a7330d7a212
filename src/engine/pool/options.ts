import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { Backpressure, BackpressureKind, OnFull, PoolConfig, PoolScope, QueueKind } from "./state.ts";
import { typeName } from "./type-name.ts";

// What may be asked of a pool when it is made (spec/workers 26.1). The texts of refusals are the original's.

/** The options of a pool; a name that was not given is made by whoever makes the pool. */
export type PoolOptions = Omit<PoolConfig, "name"> & { readonly name: string | null };

const DEFAULT_STALE_MS = 30_000;
const MAX_TEXT = 200;

/** About as many as consumers of one queue carry out at a time. */
const MAX_CONCURRENT = 1_000;
const QUEUES: readonly QueueKind[] = ["fifo", "priority", "lifo", "fair_round_robin"];
const POLICIES: readonly BackpressureKind[] = ["unbounded", "fail_fast", "queue", "ring_buffer"];
const ON_FULL: readonly OnFull[] = ["block_submitter", "drop_oldest", "drop_newest", "fail_submitter"];
const SCOPES: readonly PoolScope[] = ["session", "pipeline", "tenant", "org"];

const refuse = (text: string): Result<never, string> => err(`pool_create: ${text}`);

const firstOf = (options: JsonObject, keys: readonly string[]): Json =>
  keys.map((key) => options[key] ?? null).find((value) => value !== null) ?? null;

const wholeNumber = (name: string, value: Json, least: number): Result<number, string> => {
  if (typeof value !== "number" || !Number.isInteger(value))
    return refuse(`${name} must be an int (got ${typeName(value)})`);
  return value >= least && Number.isSafeInteger(value) ? ok(value) : refuse(`${name} must be >= ${least}`);
};

const optionalText = (name: string, value: Json): Result<string | null, string> => {
  if (value === null) return ok(null);
  if (typeof value !== "string") return refuse(`${name} must be a string (got ${typeName(value)})`);
  if (value === "") return refuse(`${name} cannot be empty`);
  return value.length <= MAX_TEXT ? ok(value) : refuse(`${name} is longer than ${MAX_TEXT} characters`);
};

const oneOf = <Name extends string>(names: readonly Name[], value: Json): Name | undefined =>
  names.find((name) => name === value);

const shown = (value: Json): string => (typeof value === "string" ? value : typeName(value));

const queueOf = (value: Json): Result<PoolConfig["queue"], string> => {
  const given = isObject(value) ? value : { kind: value };
  const asked = firstOf(given, ["kind", "strategy"]);
  const kind = oneOf(QUEUES, asked ?? "priority");
  if (kind === undefined) return refuse(`unknown queue strategy '${shown(asked)}'`);
  const key = optionalText("queue key", firstOf(given, ["key", "key_field"]));
  return key.ok ? ok({ kind, key: key.value ?? "key" }) : key;
};

const backpressureOf = (value: Json): Result<Backpressure, string> => {
  const given = isObject(value) ? value : { kind: value };
  const asked = given["kind"] ?? null;
  const kind = oneOf(POLICIES, asked ?? "unbounded");
  if (kind === undefined) return refuse(`unknown backpressure policy '${shown(asked)}'`);
  if (kind === "unbounded" || kind === "fail_fast") return ok({ kind, max_depth: null, on_full: null });
  const [own, other] = kind === "queue" ? ["max_depth", "capacity"] : ["capacity", "max_depth"];
  const depth = wholeNumber(own ?? "", firstOf(given, [own ?? "", other ?? ""]), 1);
  if (!depth.ok) return depth;
  if (kind === "ring_buffer") return ok({ kind, max_depth: depth.value, on_full: null });
  const askedFull = given["on_full"] ?? null;
  const on_full = oneOf(ON_FULL, askedFull ?? "block_submitter");
  if (on_full === undefined) return refuse(`unknown backpressure on_full policy '${shown(askedFull)}'`);
  return ok({ kind, max_depth: depth.value, on_full });
};

const scopeOf = (options: JsonObject): Result<Pick<PoolConfig, "scope" | "scope_id">, string> => {
  const asked = options["scope"] ?? null;
  const scope = oneOf(SCOPES, asked ?? "session");
  if (scope === undefined)
    return refuse(`unknown scope '${shown(asked)}' (expected one of session/pipeline/tenant/org)`);
  const scope_id = optionalText("scope_id", firstOf(options, ["scope_id", "pipeline_id", "run_id"]));
  if (!scope_id.ok) return scope_id;
  if (scope === "pipeline" && scope_id.value === null) return refuse("scope_id is required for pipeline scope");
  return ok({ scope, scope_id: scope_id.value });
};

/** What is asked of a pool, with every default, or why it cannot be (spec/workers 26.1). */
export const poolOptions = (value: Json): Result<PoolOptions, string> => {
  if (value !== null && !isObject(value)) return refuse(`options must be a dict (got ${typeName(value)})`);
  const options = value ?? {};
  const name = optionalText("name", options["name"] ?? null);
  if (!name.ok) return name;
  const max_concurrent = wholeNumber("max_concurrent", options["max_concurrent"] ?? 1, 1);
  if (!max_concurrent.ok) return max_concurrent;
  if (max_concurrent.value > MAX_CONCURRENT) return refuse(`max_concurrent must be <= ${MAX_CONCURRENT}`);
  const queue = queueOf(options["queue"] ?? null);
  if (!queue.ok) return queue;
  const backpressure = backpressureOf(options["backpressure"] ?? null);
  if (!backpressure.ok) return backpressure;
  const scope = scopeOf(options);
  if (!scope.ok) return scope;
  const stale = wholeNumber("stale_after_ms", options["stale_after_ms"] ?? DEFAULT_STALE_MS, 0);
  if (!stale.ok) return stale;
  return ok({
    name: name.value,
    max_concurrent: max_concurrent.value,
    queue: queue.value,
    backpressure: backpressure.value,
    ...scope.value,
    stale_after_ms: stale.value,
  });
};
