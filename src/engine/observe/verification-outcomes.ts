import { canonicalJson, isObject } from "../../lib/json.ts";
import type { VerificationOutcome } from "../../schema/observability.ts";
import type { RunRecord, RunStageRecord } from "../../schema/record.ts";

const passedOf = (stage: RunStageRecord): boolean | null => {
  const verification = isObject(stage.verification) ? stage.verification : {};
  if (typeof verification["pass"] === "boolean") return verification["pass"];
  if (typeof verification["success"] === "boolean") return verification["success"];
  if (stage.status === "completed" && stage.outcome === "success") return true;
  return stage.status === "failed" || stage.outcome === "failed" ? false : null;
};

const summaryOf = (stage: RunStageRecord): string | null => {
  if (stage.verification !== null) return canonicalJson(stage.verification);
  return stage.visible_text === null || stage.visible_text.trim() === "" ? null : stage.visible_text;
};

/** What the verification of each stage said that has one or exists for it (spec/workflow 12.2). */
export const deriveVerificationOutcomes = (run: RunRecord): readonly VerificationOutcome[] =>
  run.stages
    .filter((stage) => stage.kind === "verify" || stage.verification !== null)
    .map((stage) => ({
      stage_id: stage.id,
      node_id: stage.node_id,
      status: stage.status,
      passed: passedOf(stage),
      summary: summaryOf(stage),
    }));
