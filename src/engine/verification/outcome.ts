import { isObject, type Json } from "../../lib/json.ts";

/** How a stage ended, and the branch its edges are chosen by. */
export interface StageOutcome {
  readonly outcome: string;
  readonly branch: string;
}

const SUCCESSES: ReadonlySet<string> = new Set(["done", "completed"]);

/**
 * Outcome and branch of a stage (spec/workflow 6.8).
 *
 * A verify node follows its verification. Every other node follows the status of its result; a verification is recorded
 * but does not change the branch.
 */
export const classifyOutcome = (kind: string, result: Json, verification: Json): StageOutcome => {
  if (kind === "verify") {
    const passed = !isObject(verification) || verification["ok"] !== false;
    return passed ? { outcome: "verified", branch: "passed" } : { outcome: "verification_failed", branch: "failed" };
  }
  const status = isObject(result) && typeof result["status"] === "string" ? result["status"] : "completed";
  if (!SUCCESSES.has(status)) return { outcome: status, branch: "failed" };
  return { outcome: kind === "subagent" ? "subagent_completed" : "success", branch: "success" };
};
