import { isObject } from "../../lib/json.ts";
import type { RetryPolicy } from "../../schema/policy.ts";
import type { PreparedStage } from "./state.ts";

const DEFAULT_MAX_CHARS = 2000;

/** How much of an error may be told; null where the policy asks for no feedback. */
const maxChars = ({ feedback }: Pick<RetryPolicy, "feedback">): number | null => {
  if (feedback === true) return DEFAULT_MAX_CHARS;
  if (!isObject(feedback)) return null;
  const { max_chars: limit } = feedback;
  return typeof limit === "number" && Number.isInteger(limit) && limit >= 0 ? limit : DEFAULT_MAX_CHARS;
};

/**
 * The prompt of an attempt: after one whose call failed it says so, where the node's `retry_policy.feedback` asks for that
 * (spec/workflow 6.9). Attempts whose driver was lost failed for no fault of the model's.
 */
export const promptOfAttempt = (
  prompt: string,
  { ended_attempts: ended }: Pick<PreparedStage, "ended_attempts">,
  policy: Pick<RetryPolicy, "feedback">,
): string => {
  const failed = ended.findLast(({ outcome }) => outcome === "error");
  const limit = maxChars(policy);
  if (failed === undefined || limit === null) return prompt;
  return `${prompt}\n\nPrevious attempt ${failed.attempt} failed: ${(failed.error ?? "").slice(0, limit)}`;
};
