import type { Json, JsonObject } from "../../lib/json.ts";
import { isObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import { normalizeArtifact } from "../artifact/normalize.ts";
import type { Context } from "../machine.ts";
import { dataBranch, joinBranches } from "../node/map.ts";
import type { Draft } from "./draft.ts";
import { callError, failedStage, isCallError, usageOf } from "./executed-stage.ts";
import type { ExecutedStage, PreparedStage } from "./state.ts";

const NOTHING_MORE = { verification: null, usage: null, error: null } as const;

/** Executes a map that only wraps its items: no branch needs a driver (spec/workflow 6.6). */
export const dataMap = (draft: Draft, unit: PreparedStage, node: WorkflowNode): ExecutedStage => {
  const plan = (unit.work as Extract<PreparedStage["work"], { type: "map" }>).map;
  const items = unit.map?.items ?? [];
  const isValue = plan.item_ids === null;
  const settled = items.slice(0, plan.target).map((item, index) => {
    const input = isValue ? { value: item as Json } : (item as ArtifactRecord);
    return dataBranch(node, { index, input }, plan, draft.context);
  });
  const { status, branch, result, artifacts } = joinBranches(plan, settled);
  return { ...NOTHING_MORE, status, outcome: "mapped", branch, result, artifacts };
};

const flaw = (result: JsonObject): string | null => {
  if (!isObject(result["result"])) return "missing field `result`";
  if (!Array.isArray(result["artifacts"])) return "missing field `artifacts`";
  if (!result["artifacts"].every((artifact: Json) => isObject(artifact))) return "artifacts: expected objects";
  if (typeof result["outcome"] !== "string") return "missing field `outcome`";
  const branch = result["branch"] ?? null;
  return branch === null || typeof branch === "string" ? null : "branch: expected a string";
};

/** What the answer of whoever executed a whole map makes of its stage (spec/workflow 4.6, HarnMapCall). */
export const executedMap = (result: JsonObject, context: Context): ExecutedStage => {
  if (isCallError(result)) return failedStage(callError(result), usageOf(result));
  const wrong = flaw(result);
  if (wrong !== null) return failedStage(`workflow_execute_map_stage returned invalid shape: ${wrong}`);
  const given = result["artifacts"] as unknown as readonly Partial<ArtifactRecord>[];
  const branch = (result["branch"] ?? null) as string | null;
  const isFailed = branch === "failed";
  return {
    ...NOTHING_MORE,
    status: isFailed ? "failed" : "completed",
    outcome: result["outcome"] as string,
    branch,
    result: result["result"] as JsonObject,
    artifacts: given.map((artifact) => normalizeArtifact(artifact, context)),
    usage: usageOf(result),
    error: isFailed ? "verification failed" : null,
  };
};
