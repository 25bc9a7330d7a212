import type { HandlerErrorClass, HandlerOutcome } from "../../engine/trigger/handler.ts";
import { byteLength, type Json } from "../../lib/json.ts";

/** Largest result that is kept of a handler, in bytes as JSON: it lies in the row of its event. */
const MAX_RESULT_BYTES = 262_144;

/** Longest error text, in UTF-16 units; what a remote side says beyond it is cut. */
const MAX_ERROR = 2_000;

/** How much is shown of a result that is too large. */
const EXCERPT = 1_000;

/** A result as it is kept; of one that is too large, its size and its beginning. */
export const succeeded = (result: Json): HandlerOutcome => {
  const text = JSON.stringify(result);
  const bytes = byteLength(text);
  if (bytes <= MAX_RESULT_BYTES) return { type: "succeeded", result };
  return { type: "succeeded", result: { truncated: true, bytes, excerpt: text.slice(0, EXCERPT) } };
};

/** Which failures a later attempt may mend (spec/triggers 8). */
const RETRYABLE: Readonly<Record<HandlerErrorClass, boolean>> = {
  local: true,
  timeout: true,
  a2a: true,
  infrastructure: true,
  denied: false,
  cancelled: false,
  not_implemented: false,
};

/** A failure; whether it is tried again follows from its class unless said otherwise (spec/triggers 8). */
export const failed = (kind: HandlerErrorClass, error: string, retryable = RETRYABLE[kind]): HandlerOutcome => ({
  type: "failed",
  class: kind,
  error: error.length > MAX_ERROR ? `${error.slice(0, MAX_ERROR)}...` : error,
  retryable,
});

/** What a thrown value says. */
export const reasonOf = (thrown: unknown): string => {
  const reason = thrown instanceof Error ? thrown.message || thrown.name : typeof thrown === "string" ? thrown : "";
  return reason === "" ? "it threw a value without a message" : reason;
};
