import { byCodePoint, canonicalJson, isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { RunDivergence, RunPositionDiff, UsageDelta } from "../../schema/replay.ts";
import type { RunRecord, RunStageRecord } from "../../schema/record.ts";
import { derivePlannerRound } from "../observe/planner-rounds.ts";
import { outputData, ownIds, withoutIds } from "./neutral.ts";
import { stateHash } from "./state-hash.ts";

/** Positions a report lists, at most. */
const MAX_POSITIONS = 500;

/** Paths named for one position, at most. */
const MAX_PATHS = 50;

interface Side {
  readonly run: RunRecord;
  readonly ids: ReadonlySet<string>;
  readonly artifacts: ReadonlyMap<string, ArtifactRecord>;
  /** Artifacts as their stages produced them, before a fork edited them. */
  readonly produced: ReadonlyMap<string, ArtifactRecord>;
}

const byId = (artifacts: readonly ArtifactRecord[]): ReadonlyMap<string, ArtifactRecord> =>
  new Map(artifacts.map((artifact) => [artifact.id, artifact]));

const sideOf = (run: RunRecord): Side => ({
  run,
  ids: ownIds(run),
  artifacts: byId(run.artifacts),
  produced: byId(run.stages.flatMap((stage) => stage.artifacts)),
});

const content = ({ kind, title, text, data }: ArtifactRecord): Json => ({ kind, title, text, data: outputData(data) });

/** The artifact as a stage got it: one that a fork took over saw what its own run had. */
const consumedBy = ({ run, artifacts, produced }: Side, stage: RunStageRecord, id: string): Json => {
  const isOwn = stage.id.startsWith(`${run.id}:`);
  const found = isOwn ? (artifacts.get(id) ?? produced.get(id)) : (produced.get(id) ?? artifacts.get(id));
  return found === undefined ? null : content(found);
};

const metadataOf = ({ metadata }: RunStageRecord, keys: readonly string[]): JsonObject =>
  Object.fromEntries(keys.flatMap((key) => (metadata[key] === undefined ? [] : [[key, metadata[key] as Json]])));

/** A stage as stages are compared: what went in, what was called, what came out. */
const comparable = (side: Side, stage: RunStageRecord): JsonObject => {
  const { node_id, kind, status, outcome, branch, visible_text, verification } = stage;
  const consumed = stage.consumed_artifact_ids.map((id) => consumedBy(side, stage, id));
  const called = derivePlannerRound(stage);
  const value: JsonObject = {
    node_id,
    kind,
    inputs: { artifacts: consumed, ...metadataOf(stage, ["prompt", "system_prompt", "http", "function"]) },
    tool_calls: called === null ? [] : called.tools_used,
    outputs: {
      status,
      outcome,
      branch,
      text: visible_text,
      verification,
      artifacts: stage.artifacts.map(content),
      ...metadataOf(stage, ["error"]),
    },
  };
  return withoutIds(value, side.ids) as JsonObject;
};

const differences = (left: Json | undefined, right: Json | undefined, path: string): readonly string[] => {
  if (left === undefined || right === undefined) return left === right ? [] : [path];
  if (isObject(left) && isObject(right)) {
    const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])].toSorted(byCodePoint);
    return keys.flatMap((key) => differences(left[key], right[key], path === "" ? key : `${path}.${key}`));
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    const length = Math.max(left.length, right.length);
    return Array.from({ length }, (_, index) => differences(left[index], right[index], `${path}[${index}]`)).flat();
  }
  return canonicalJson(left) === canonicalJson(right) ? [] : [path];
};

const positionDiff = (left: Side, right: Side, position: number): RunPositionDiff | null => {
  const [was, is] = [left.run.stages[position], right.run.stages[position]];
  const ids = { left_stage_id: was?.id ?? null, right_stage_id: is?.id ?? null };
  const shown = { position, ...ids, node_id: (was ?? is)?.node_id ?? "" };
  if (was === undefined || is === undefined) return { ...shown, what: ["stage"] };
  const what = differences(comparable(left, was), comparable(right, is), "");
  return what.length === 0 ? null : { ...shown, what: what.slice(0, MAX_PATHS) };
};

const COUNTS = ["input_tokens", "output_tokens", "total_duration_ms", "call_count", "total_cost"] as const;

const usageDelta = (left: RunRecord, right: RunRecord): UsageDelta => {
  const sum = (run: RunRecord, key: (typeof COUNTS)[number]): number =>
    run.stages.reduce((total, stage) => total + (stage.usage?.[key] ?? 0), 0);
  const delta = (key: (typeof COUNTS)[number]): number => sum(right, key) - sum(left, key);
  return Object.fromEntries(COUNTS.map((key) => [key, delta(key)])) as UsageDelta;
};

/** How two runs differ stage by stage, by position; ids and times are no differences (spec/workflow 12.6). */
export const diverge = (leftRun: RunRecord, rightRun: RunRecord): RunDivergence => {
  const [left, right] = [sideOf(leftRun), sideOf(rightRun)];
  const length = Math.max(leftRun.stages.length, rightRun.stages.length);
  const positions: RunPositionDiff[] = [];
  for (let position = 0; position < length && positions.length < MAX_POSITIONS; position++) {
    const found = positionDiff(left, right, position);
    if (found !== null) positions.push(found);
  }
  const changed = (part: "inputs" | "outputs"): boolean =>
    positions.some(({ what }) => what.some((path) => path === "stage" || path.startsWith(part)));
  return {
    first_divergence: positions[0] ?? null,
    positions,
    left_path: leftRun.stages.map(({ node_id }) => node_id),
    right_path: rightRun.stages.map(({ node_id }) => node_id),
    inputs_changed: changed("inputs"),
    outputs_changed: changed("outputs"),
    usage_delta: usageDelta(leftRun, rightRun),
    left_state_hash: stateHash(leftRun),
    right_state_hash: stateHash(rightRun),
  };
};
