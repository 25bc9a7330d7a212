import type { JsonObject } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { Verdict } from "./match.ts";

/** What a person has to approve before an event is handled (spec/triggers 9.5). */
export interface ApprovalNeeded {
  readonly title: string;
  readonly reason: string;
  readonly detail: JsonObject;
  readonly reviewers: readonly string[];
}

/**
 * What predicate, autonomy budget and flow control say about an event, in that order (spec/triggers 8, steps 6 to 8).
 *
 * `verdicts` are those that were made now; one that was made before is not made again.
 */
export type Admission = { readonly verdicts: readonly Verdict[] } & (
  | { readonly type: "admitted"; readonly batch: readonly string[] | null }
  /** Flow control holds it; `due_at` is null when it waits for another event to leave. */
  | { readonly type: "parked"; readonly due_at: Timestamp | null }
  | {
      readonly type: "skipped";
      readonly stage: "predicate" | "flow_control";
      readonly detail: JsonObject;
      readonly result: JsonObject;
    }
  /** The predicate's budget is used up until then. */
  | { readonly type: "deferred"; readonly until: Timestamp; readonly reason: string; readonly result: JsonObject }
  /** The predicate's budget is used up, and that makes a dead letter. */
  | { readonly type: "exhausted"; readonly reason: string }
  | { readonly type: "approval"; readonly needed: ApprovalNeeded }
);
