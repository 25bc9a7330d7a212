import { compileExpression, evaluate } from "../../../lib/expression.ts";
import { isObject, type Json } from "../../../lib/json.ts";
import { err, ok, type Result } from "../../../lib/result.ts";
import { sha256Hex } from "../../../lib/stable-uuid.ts";
import { actionOf, evaluatedRecord, FREE, type PredicateRequest, type PredicateVerdict } from "./records.ts";
import { readAnswer } from "./predicate.ts";

/** An event as expressions see it: the variable `event`. */
export type ExpressionEvent = object;

/** Why an event passes or does not pass the filter of its trigger. */
export interface FilterVerdict {
  readonly stage: "filter";
  readonly outcome: "passed" | "skipped";
  readonly reason: string;
}

/** A key, and why it is not the one that was asked for; null when it is. */
export interface RenderedKey {
  readonly key: string;
  readonly reason: string | null;
}

const MAX_KEY_LENGTH = 500;
const MAX_KEY_DEPTH = 50;

const valueOver = (text: string, event: ExpressionEvent): Result<Json, string> => {
  const compiled = compileExpression(text, ["event"]);
  // An event is what JSON carries; its type has no index signature.
  return compiled.ok ? evaluate(compiled.value, { event: event as unknown as Json }) : err(compiled.error.message);
};

const boolOver = (text: string, event: ExpressionEvent): Result<boolean, string> => {
  const value = valueOver(text, event);
  if (!value.ok) return value;
  const read = readAnswer(value.value);
  return "failure" in read ? err(read.failure) : ok(read.result);
};

/**
 * Whether an event passes the filter of its trigger (spec/triggers 5.1, decision 17); no filter passes everything.
 *
 * A filter that has no value for an event, such as for a missing field, is false for it, and the reason says so.
 */
export const filterVerdict = (filter: string | undefined, event: ExpressionEvent): FilterVerdict => {
  if (filter === undefined) return { stage: "filter", outcome: "passed", reason: "there is no filter" };
  const result = valueOver(filter, event);
  if (result.ok && typeof result.value !== "boolean") {
    return { stage: "filter", outcome: "skipped", reason: "the filter is neither true nor false" };
  }
  if (!result.ok) return { stage: "filter", outcome: "skipped", reason: `the filter has no value: ${result.error}` };
  return result.value
    ? { stage: "filter", outcome: "passed", reason: "the filter is true" }
    : { stage: "filter", outcome: "skipped", reason: "the filter is false" };
};

const isShallow = (value: Json, depth = MAX_KEY_DEPTH): boolean => {
  if (depth === 0) return false;
  if (!Array.isArray(value) && !isObject(value)) return true;
  return Object.values(value).every((item: Json) => isShallow(item, depth - 1));
};

// Keys are parts of names and of indexes: a longer one is known by its digest.
const bounded = (key: string): string => (key.length > MAX_KEY_LENGTH ? `sha256:${sha256Hex(key)}` : key);

const rendered = (value: Json): Result<string, string> => {
  if (typeof value === "string") return ok(bounded(value));
  return isShallow(value) ? ok(bounded(JSON.stringify(value))) : err("the value nests too deeply for a key");
};

/**
 * The key of an event for flow control: a text as it is, null as `null`, numbers and bools printed, everything else as
 * JSON (spec/triggers 10). Without a value the key is `null`, with the reason.
 */
export const keyOf = (expression: string, event: ExpressionEvent): RenderedKey => {
  const value = valueOver(expression, event);
  const key = value.ok ? rendered(value.value) : value;
  return key.ok ? { key: key.value, reason: null } : { key: "null", reason: key.error };
};

/**
 * The dedupe key of an event (spec/triggers 5.1, decision 17): what the expression gives as text; the connector's key
 * where it gives nothing, with the reason.
 */
export const dedupeKeyOf = (
  expression: string | undefined,
  event: ExpressionEvent & { readonly dedupe_key: string },
): RenderedKey => {
  if (expression === undefined) return { key: event.dedupe_key, reason: null };
  const fallback = (reason: string): RenderedKey => ({ key: event.dedupe_key, reason: `dedupe_key: ${reason}` });
  const value = valueOver(expression, event);
  if (!value.ok) return fallback(value.error);
  if (value.value === null || value.value === "") return fallback("the expression gives no text");
  const key = rendered(value.value);
  return key.ok ? { key: key.value, reason: null } : fallback(key.error);
};

/**
 * Judges a predicate that is an expression (spec/triggers 9.1): it costs nothing, so no budget and no breaker stands
 * before it; where it has no value for an event it is false, with the reason.
 */
export const judgeExpression = (
  expression: string,
  event: ExpressionEvent,
  request: PredicateRequest,
): PredicateVerdict => {
  const value = boolOver(expression, event);
  const result = value.ok && value.value;
  const reason = value.ok ? null : value.error;
  const record = evaluatedRecord(request, { result, reason, strategy: null, cost: FREE, cached: false });
  const action = actionOf(result, null);
  return { result, reason, strategy: null, action, retry_at: null, records: [record], warnings: [] };
};
