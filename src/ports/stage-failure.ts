import type { StageErrorCategory } from "../schema/error-category.ts";
import type { LlmUsage } from "../schema/plan.ts";

/** Why the call of a stage failed, before it becomes the error object of the record. */
export interface StageFailure {
  readonly category: StageErrorCategory;
  /** The text without the `Error [<category>]: ` prefix; it says what to do next where that is known. */
  readonly message: string;
  /** Whether the same call may succeed later; without it the category decides. */
  readonly retryable?: boolean;
  /** How long the other side asked to wait. */
  readonly retry_after_ms?: number;
  /** The HTTP status the other side answered with. */
  readonly status_code?: number;
  /** What was spent before it failed. */
  readonly usage?: LlmUsage;
}
