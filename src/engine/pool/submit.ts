import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { TaskAsk, TaskRetry } from "./state.ts";
import { typeName } from "./type-name.ts";

// What may be asked of a task when it is submitted (spec/workers 26.2). A function cannot be stored: its name is.

const DEFAULT_TIMEOUT_MS = 300_000;

/** Whoever carries a task out has 15 minutes for all it does. */
const MAX_TIMEOUT_MS = 840_000;
const MAX_ATTEMPTS = 20;
const DEFAULT_BACKOFF_MS = 1_000;

/** The longest rest between two calls of a task's function. */
export const MAX_BACKOFF_MS = 300_000;

const MAX_TEXT = 1_000;

const refuse = (text: string): Result<never, string> => err(`pool.submit: ${text}`);

const numberWithin = (name: string, value: Json, [least, most]: readonly [number, number]): Result<number, string> => {
  if (typeof value !== "number" || !Number.isInteger(value))
    return refuse(`${name} must be an int (got ${typeName(value)})`);
  return value >= least && value <= most ? ok(value) : refuse(`${name} must be ${least} to ${most}`);
};

const optionalText = (name: string, value: Json): Result<string | null, string> => {
  if (value === null) return ok(null);
  if (typeof value !== "string") return refuse(`${name} must be a string (got ${typeName(value)})`);
  return value.length <= MAX_TEXT ? ok(value) : refuse(`${name} is longer than ${MAX_TEXT} characters`);
};

const retryOf = (value: Json): Result<TaskRetry, string> => {
  if (value !== null && !isObject(value)) return refuse(`retry must be a dict (got ${typeName(value)})`);
  const attempts = numberWithin("retry.max_attempts", value?.["max_attempts"] ?? 1, [1, MAX_ATTEMPTS]);
  if (!attempts.ok) return attempts;
  const backoff = numberWithin("retry.backoff_ms", value?.["backoff_ms"] ?? DEFAULT_BACKOFF_MS, [0, MAX_BACKOFF_MS]);
  return backoff.ok ? ok({ max_attempts: attempts.value, backoff_ms: backoff.value }) : backoff;
};

const SUBMITTERS = ["agent_session_id", "worker_id", "workflow_id", "run_id", "task_id"];

/** Who submits: the first id of its surroundings, or `user` (spec/workers 26.7). */
export const submitterOf = (surroundings: Json | undefined): string => {
  const ids = isObject(surroundings) ? SUBMITTERS.map((name) => surroundings[name]) : [];
  const found = ids.find((id) => typeof id === "string" && id !== "");
  return typeof found === "string" ? found.slice(0, MAX_TEXT) : "user";
};

/** The key that makes a submit safe to repeat; null for none (spec/workers 26.2). */
const idempotencyKeyOf = (options: JsonObject): Result<string | null, string> => {
  const key = optionalText("idempotency_key", options["idempotency_key"] ?? options["id"] ?? null);
  return key.ok && key.value !== null && key.value.trim() === "" ? refuse("idempotency_key cannot be empty") : key;
};

/** What fairness goes by: the pool's own field, or `key`. */
const keyOf = (options: JsonObject, field: string): Result<string | null, string> => {
  const own = options[field] ?? null;
  return own === null ? optionalText("key", options["key"] ?? null) : optionalText(field, own);
};

/** What is asked of a task, with every default, or why it cannot be; `keyField` is the pool's field of fairness. */
export const taskAsk = (options: JsonObject, keyField: string): Result<TaskAsk, string> => {
  const handler = options["handler"] ?? null;
  if (typeof handler !== "string" || handler === "" || handler.length > MAX_TEXT)
    return refuse(`handler must be the name of a registered function (got ${typeName(handler)})`);
  const priority = numberWithin("priority", options["priority"] ?? 0, [
    Number.MIN_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER,
  ]);
  if (!priority.ok) return priority;
  const key = keyOf(options, keyField);
  if (!key.ok) return key;
  const idempotency_key = idempotencyKeyOf(options);
  if (!idempotency_key.ok) return idempotency_key;
  const timeout = numberWithin("timeout_ms", options["timeout_ms"] ?? DEFAULT_TIMEOUT_MS, [1, MAX_TIMEOUT_MS]);
  if (!timeout.ok) return timeout;
  const retry = retryOf(options["retry"] ?? null);
  if (!retry.ok) return retry;
  return ok({
    handler,
    timeout_ms: timeout.value,
    retry: retry.value,
    priority: priority.value,
    key: key.value,
    idempotency_key: idempotency_key.value,
    submitted_by: submitterOf(options["submitter"]),
  });
};
