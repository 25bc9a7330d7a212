import type { Json } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import { branchNode, branchNodeId, valueInput } from "../node/map.ts";
import type { Draft } from "./draft.ts";
import { failedStage } from "./executed-stage.ts";
import { sessionOf } from "./session-of.ts";
import { stageMode, stageNode } from "./stage-node.ts";
import { stagePolicies } from "../policy/scopes.ts";
import { workExcess } from "./stage-policy.ts";
import { planUnit, type UnitInput } from "./stage-work.ts";
import type { Holder, MapPlan, PreparedStage, Run, StageWork } from "./state.ts";

/** Modes of stages that nobody executes. */
const UNFIT: ReadonlySet<string> = new Set(["sleep", "wait", "person"]);

/** The work of a branch; one that nobody could execute fails. */
const fitWork = (node: WorkflowNode, work: StageWork): StageWork => {
  const mode = stageMode(node);
  if (!UNFIT.has(mode)) return work;
  const error = `workflow stage ${node.id}: the branches of a map cannot have mode ${mode}`;
  return { type: "precomputed", executed: failedStage(error) };
};

export interface Grant {
  readonly holder: Holder;
  readonly lease_ms: number;
  readonly granted_by?: string;
}

/** Opens the next branch of a map for a holder (spec/workflow 6.6, branch execution). */
export const prepareBranch = (draft: Draft, map: PreparedStage, grant: Grant): void => {
  const { run, context } = draft;
  const progress = map.map as NonNullable<PreparedStage["map"]>;
  const plan = (map.work as Extract<StageWork, { type: "map" }>).map;
  const index = progress.started;
  const input = inputOf(map, plan, draft);
  const nodeId = branchNodeId(map.node_id, index);
  const parent = stageNode(run, map.node_id, map.options);
  if (parent === undefined) return;
  const node = { ...branchNode(parent), id: nodeId };
  const task = `${run.task}\n\nMap item ${index + 1} of ${Math.max(plan.total, 1)}`;
  const work = workOf(run, node, { map, input: { selected: [input], task } });
  draft.emit({
    type: "branch_prepared",
    stage_id: `${run.run_id}:${nodeId}:${map.stage_id.slice(map.stage_id.lastIndexOf(":") + 1)}`,
    map_stage_id: map.stage_id,
    index,
    ...(plan.item_ids === null ? { input_id: input.id } : {}),
    mode: stageMode(node),
    ...(work.type === "model" ? sessionOf(draft, node) : {}),
    work: fitWork(node, work),
    attempt_token: context.nextId("attempt"),
    // An external branch is nobody's until somebody takes it.
    holder: stageMode(node) === "external" && grant.holder === "driver" ? "nobody" : grant.holder,
    lease_ms: grant.lease_ms,
    granted_by: grant.granted_by ?? null,
  });
};

const failed = (error: string): StageWork => ({ type: "precomputed", executed: failedStage(error) });

/** The work of a branch, or the error that makes it fail: a branch is held to the policy of its map (I8). */
const workOf = (
  run: Run,
  node: WorkflowNode,
  { map, input }: { readonly map: PreparedStage; readonly input: UnitInput },
): StageWork => {
  const planned = planUnit(run, node, input);
  if (!planned.ok) return failed(planned.error);
  const policies = stagePolicies(run, node, map.options);
  const excess = policies.ok ? workExcess(policies.value.policy, planned.value) : policies.error;
  return excess === null ? planned.value : failed(`Error [tool_rejected]: ${excess}`);
};

const inputOf = (map: PreparedStage, plan: MapPlan, draft: Draft): ArtifactRecord => {
  const index = map.map?.started ?? 0;
  const item = map.map?.items[index];
  if (plan.item_ids !== null) return item as ArtifactRecord;
  return valueInput({ node_id: map.node_id, index, value: item as Json, lineage: [] }, plan.item_kind, draft.context);
};
