import { byCodePoint } from "../../lib/json.ts";
import type { RunDiffReport, RunStageDiff, ToolCallDiff } from "../../schema/replay.ts";
import type { RunRecord, RunStageRecord, ToolCallRecord } from "../../schema/record.ts";
import { diffObservability } from "./diff-observability.ts";
import { diverge } from "./divergence.ts";
import { optionText } from "./option-text.ts";

const unionOfKeys = (left: ReadonlyMap<string, unknown>, right: ReadonlyMap<string, unknown>): readonly string[] =>
  [...new Set([...left.keys(), ...right.keys()])].toSorted(byCodePoint);

const stageDetails = (left: RunStageRecord, right: RunStageRecord): readonly string[] => {
  const details: string[] = [];
  if (left.status !== right.status) details.push(`status: ${left.status} -> ${right.status}`);
  if (left.outcome !== right.outcome) details.push(`outcome: ${left.outcome} -> ${right.outcome}`);
  if (left.branch !== right.branch) details.push(`branch: ${optionText(left.branch)} -> ${optionText(right.branch)}`);
  const produced = [left.produced_artifact_ids.length, right.produced_artifact_ids.length] as const;
  if (produced[0] !== produced[1]) details.push(`produced_artifacts: ${produced[0]} -> ${produced[1]}`);
  const artifacts = [left.artifacts.length, right.artifacts.length] as const;
  if (artifacts[0] !== artifacts[1]) details.push(`artifact_records: ${artifacts[0]} -> ${artifacts[1]}`);
  return details;
};

const diffStages = (left: RunRecord, right: RunRecord): readonly RunStageDiff[] => {
  // The last record of a node stands for all of them.
  const before = new Map(left.stages.map((stage) => [stage.node_id, stage]));
  const after = new Map(right.stages.map((stage) => [stage.node_id, stage]));
  const diffs: RunStageDiff[] = [];
  for (const nodeId of unionOfKeys(before, after)) {
    const [was, is] = [before.get(nodeId), after.get(nodeId)];
    if (is === undefined) {
      diffs.push({ node_id: nodeId, change: "removed", details: ["stage missing from right run"] });
    } else if (was === undefined) {
      diffs.push({ node_id: nodeId, change: "added", details: ["stage missing from left run"] });
    } else {
      const details = stageDetails(was, is);
      if (details.length > 0) diffs.push({ node_id: nodeId, change: "changed", details });
    }
  }
  return diffs;
};

const toolKey = (call: ToolCallRecord): string => JSON.stringify([call.tool_name, call.args_hash]);

/** True when one run replays the other, or both replay a third: no tool was called, each answer is the recorded one. */
const shareTools = (left: RunRecord, right: RunRecord): boolean => {
  const [was, is] = [left.metadata["replayed_from"], right.metadata["replayed_from"]];
  return was === right.id || is === left.id || (was !== undefined && was === is);
};

const diffTools = (left: RunRecord, right: RunRecord): readonly ToolCallDiff[] => {
  if (shareTools(left, right)) return [];
  const before = new Map(left.tool_recordings.map((call) => [toolKey(call), call]));
  const after = new Map(right.tool_recordings.map((call) => [toolKey(call), call]));
  const diffs: ToolCallDiff[] = [];
  for (const key of unionOfKeys(before, after)) {
    const [was, is] = [before.get(key), after.get(key)];
    const call = was ?? is;
    if (call === undefined || was?.result === is?.result) continue;
    diffs.push({
      tool_name: call.tool_name,
      args_hash: call.args_hash,
      result_changed: true,
      left_result: was?.result ?? null,
      right_result: is?.result ?? null,
    });
  }
  return diffs;
};

/**
 * Everything that is different in the right run (spec/workflow 12.6).
 *
 * Two runs are identical when their status, stages, recorded tool results, observability and counts are the same; ids
 * that only name the run itself do not count as a difference.
 */
export const diffRuns = (left: RunRecord, right: RunRecord): RunDiffReport => {
  const stageDiffs = diffStages(left, right);
  const toolDiffs = diffTools(left, right);
  const observabilityDiffs = diffObservability(left, right);
  const statusChanged = left.status !== right.status;
  const transitions = right.transitions.length - left.transitions.length;
  const artifacts = right.artifacts.length - left.artifacts.length;
  const checkpoints = right.checkpoints.length - left.checkpoints.length;
  const diffCount = stageDiffs.length + toolDiffs.length + observabilityDiffs.length;
  return {
    left_run_id: left.id,
    right_run_id: right.id,
    identical: !statusChanged && diffCount === 0 && transitions === 0 && artifacts === 0 && checkpoints === 0,
    status_changed: statusChanged,
    left_status: left.status,
    right_status: right.status,
    stage_diffs: stageDiffs,
    tool_diffs: toolDiffs,
    observability_diffs: observabilityDiffs,
    transition_count_delta: transitions,
    artifact_count_delta: artifacts,
    checkpoint_count_delta: checkpoints,
    ...diverge(left, right),
  };
};
