import type { Json } from "../lib/json.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StageErrorCategory } from "../schema/error-category.ts";
import type { StageResult } from "../schema/plan.ts";

const CATEGORIES: Readonly<Record<StageErrorCategory, { readonly retryable: boolean }>> = {
  timeout: { retryable: true },
  auth: { retryable: false },
  rate_limit: { retryable: true },
  overloaded: { retryable: true },
  server_error: { retryable: true },
  transient_network: { retryable: true },
  schema_validation: { retryable: false },
  tool_error: { retryable: false },
  tool_rejected: { retryable: false },
  egress_blocked: { retryable: false },
  cancelled: { retryable: false },
  not_found: { retryable: false },
  circuit_open: { retryable: false },
  budget_exceeded: { retryable: false },
  generic: { retryable: false },
};

/** True when the same call may succeed later. */
export const isRetryable = (failure: StageFailure): boolean =>
  failure.retryable ?? CATEGORIES[failure.category].retryable;

/** Longest error text of a record, in UTF-16 units; what a remote side says beyond it is cut. */
const MAX_MESSAGE = 2000;

/** True for a category of spec/workflow 0.3. */
export const isErrorCategory = (name: unknown): name is StageErrorCategory =>
  typeof name === "string" && Object.hasOwn(CATEGORIES, name);

/** The error object of a stage whose call failed (spec/workflow 0.3, 5), with `redact` applied to its text before it is cut. */
export const failedStage = (failure: StageFailure, redact: (text: string) => string): StageResult => {
  const text = redact(failure.message);
  const message = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}...` : text;
  return {
    __workflow_stage_error: true,
    status: "failed",
    text: "",
    visible_text: "",
    error: `Error [${failure.category}]: ${message}`,
    error_category: failure.category,
    retryable: isRetryable(failure),
    ...(failure.retry_after_ms === undefined ? {} : { retry_after_ms: failure.retry_after_ms }),
    ...(failure.status_code === undefined ? {} : { status_code: failure.status_code }),
    ...(failure.usage === undefined ? {} : { usage: failure.usage as unknown as Json }),
  };
};
