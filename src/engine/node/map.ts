import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import { artifactFromValue } from "../artifact/from-value.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { toolNames } from "../policy/tools.ts";
import type { MapPlan, SettledBranch } from "../run/state.ts";

/** Branches under way at a time where the node sets no bound, and the most it may set. */
const MAX_IN_FLIGHT = 64;

const DEFAULT_KIND = "artifact";

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** How many settled branches end a map (spec/workflow 6.6, step 5). */
export const joinTarget = (strategy: string, total: number, minCompleted: number | null): number => {
  if (strategy === "first") return Math.min(1, total);
  if (strategy === "quorum") return total === 0 ? 0 : clamp(minCompleted ?? 1, 1, total);
  return total;
};

/** The items of a map's policy, or null when it maps over artifacts (spec/workflow 6.6, step 2). */
export const valueItems = (node: Pick<WorkflowNode, "map_policy">): readonly Json[] | null => {
  const { items, max_items: max } = node.map_policy;
  const explicit = max === null ? items : items.slice(0, max);
  return explicit.length > 0 ? explicit : null;
};

/** What a map node has to do with the artifacts selected for it (spec/workflow 6.6). */
export const planMap = (node: WorkflowNode, selected: readonly ArtifactRecord[]): MapPlan => {
  const { item_artifact_kind: kind, max_items: max, output_kind: output, max_concurrent: concurrent } = node.map_policy;
  const values = valueItems(node);
  const inputs = kind === null ? selected : selected.filter((artifact) => artifact.kind === kind);
  const artifacts = max === null ? inputs : inputs.slice(0, max);
  const total = values?.length ?? artifacts.length;
  const strategy = node.join_policy.strategy || "all";
  return {
    total,
    item_ids: values === null ? artifacts.map((artifact) => artifact.id) : null,
    item_kind: kind ?? DEFAULT_KIND,
    output_kind: output ?? node.output_contract.output_kinds[0] ?? DEFAULT_KIND,
    strategy,
    target: joinTarget(strategy, total, node.join_policy.min_completed),
    concurrency: clamp(concurrent ?? total, 1, Math.min(Math.max(total, 1), MAX_IN_FLIGHT)),
  };
};

const isSet = (value: unknown): boolean =>
  value !== null && value !== undefined && value !== "allow" && !(isObject(value) && Object.keys(value).length === 0);

/** True when each item is executed as a stage; otherwise the map only wraps its items (spec/workflow 6.6, step 3). */
export const executesStage = (node: WorkflowNode): boolean =>
  [node.mode, node.prompt, node.system].some((text) => text !== null && text !== "") ||
  toolNames(node.tools as Json).length > 0 ||
  Object.values(node.model_policy).some(isSet);

// Memoisation only: a node is never changed in place.
const branchNodes = new WeakMap<WorkflowNode, WorkflowNode>();

/** The node that executes one item of a map: a stage without the map's own policies (spec/workflow 6.6, step 3). */
export const branchNode = (node: WorkflowNode): WorkflowNode => {
  const known = branchNodes.get(node);
  if (known !== undefined) return known;
  const { output_kind: output } = node.map_policy;
  const made: WorkflowNode = {
    ...node,
    kind: "stage",
    map_policy: { items: [], item_artifact_kind: null, output_kind: null, max_items: null, max_concurrent: null },
    join_policy: { strategy: "all", require_all_inputs: false, min_completed: null },
    output_contract: output === null ? node.output_contract : { ...node.output_contract, output_kinds: [output] },
    input_contract: { ...node.input_contract, min_inputs: null, max_inputs: null },
  };
  branchNodes.set(node, made);
  return made;
};

/** The id of a branch's node, counted from 1 (spec/workflow 6.6). */
export const branchNodeId = (nodeId: string, index: number): string => `${nodeId}_map_${index + 1}`;

/** The artifact that carries a value into its branch. */
export const valueInput = (
  item: { readonly node_id: string; readonly index: number; readonly value: Json; readonly lineage: readonly string[] },
  kind: string,
  context: ArtifactContext,
): ArtifactRecord =>
  artifactFromValue(
    {
      node: item.node_id,
      kind,
      index: item.index,
      value: item.value,
      lineage: item.lineage,
      title: `map ${item.node_id} item ${item.index + 1}`,
    },
    context,
  );

/** What a map without a stage of its own makes of one item. */
export const dataBranch = (
  node: WorkflowNode,
  item: { readonly index: number; readonly input: ArtifactRecord | { readonly value: Json } },
  plan: MapPlan,
  context: ArtifactContext,
): SettledBranch => {
  const { index, input } = item;
  const isValue = !("kind" in input);
  const value = isValue ? input.value : (input.data ?? input.text ?? null);
  const carried = { node_id: node.id ?? "", index, value, lineage: isValue ? [] : [input.id] };
  const artifact = valueInput(carried, plan.output_kind, context);
  const result = { status: "completed", text: artifact.text ?? "" };
  return { index, status: "completed", result, error: null, artifacts: [artifact], attempts: 1 };
};

/** What a map came to. */
export interface MapOutcome {
  readonly status: "completed" | "failed";
  readonly branch: "mapped" | "failed";
  readonly result: JsonObject;
  readonly artifacts: readonly ArtifactRecord[];
}

const indexOf = (artifact: ArtifactRecord): number => {
  const index = artifact.metadata["index"];
  return typeof index === "number" ? index : Number.POSITIVE_INFINITY;
};

const byIndex = (left: number, right: number): number => (left === right ? 0 : left - right);

/** Joins what the branches of a map came to; partial failures stand beside the successes (spec/workflow 6.6). */
export const joinBranches = (plan: MapPlan, settled: readonly SettledBranch[]): MapOutcome => {
  const ordered = settled.toSorted((left, right) => left.index - right.index);
  const succeeded = ordered.filter(({ status, error }) => status === "completed" && error === null);
  const failed = ordered.filter(({ status, error }) => status !== "completed" || error !== null);
  const artifacts = succeeded
    .flatMap((branch) => branch.artifacts)
    .toSorted((left, right) => byIndex(indexOf(left), indexOf(right)));
  const status = failed.length === 0 ? "completed" : artifacts.length === 0 ? "failed" : "partial";
  return {
    status: status === "failed" ? "failed" : "completed",
    branch: status === "failed" ? "failed" : "mapped",
    artifacts,
    result: {
      status,
      text:
        status === "failed"
          ? `map failed after ${failed.length} branch failures`
          : `mapped ${artifacts.length} of ${plan.total} items`,
      join_strategy: plan.strategy,
      completed: succeeded.map(({ index, result, artifacts: { length } }) => ({
        index,
        status: "completed",
        result,
        artifact_count: length,
      })),
      failures: failed.map(({ index, error }) => ({ index, status: "failed", error })),
    },
  };
};
