import { byCodePoint, canonicalJson, isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { sha256Hex } from "../../lib/stable-uuid.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { RunRecord, RunStageRecord } from "../../schema/record.ts";
import { outputData, ownIds, VOLATILE, withoutIds } from "./neutral.ts";

const artifactOutcome = (artifact: ArtifactRecord): JsonObject => {
  const { id, kind, title, text, data, source, stage, freshness, priority, lineage, relevance, metadata } = artifact;
  const shown = { id, kind, title, text, source, stage, freshness, priority, lineage, relevance };
  return { ...shown, data: outputData(data), metadata: metadata as JsonObject };
};

/** What of a map's branches is no matter of how many drivers there were. */
const branchesOf = ({ metadata }: RunStageRecord): Json => {
  const { map } = metadata;
  return isObject(map)
    ? { total: map["total"] ?? 0, settled: map["settled"] ?? 0, attempts: map["attempts"] ?? {} }
    : null;
};

/** Tool calls in an order of their own: stages that run side by side make theirs at the same time. */
const toolOutcomes = (run: RunRecord): Json =>
  run.tool_recordings
    .map((call) => {
      const { tool_name, tool_use_id, args_hash, result, is_rejected, iteration } = call;
      return { tool_name, tool_use_id, args_hash, result, is_rejected, iteration };
    })
    .toSorted((left, right) => byCodePoint(sortText(left), sortText(right)));

const NO_IDS: ReadonlySet<string> = new Set();

const sortText = (value: JsonObject): string => canonicalJson(withoutIds(value, NO_IDS));

const stageOutcome = (stage: RunStageRecord): JsonObject => {
  const { id, node_id, kind, status, outcome, branch, visible_text, verification } = stage;
  const error = stage.metadata["error"] ?? null;
  const attempts = stage.attempts.map((attempt) => [attempt.status, attempt.outcome, attempt.error]);
  const shown = { transcript: stage.transcript, branches: branchesOf(stage), attempts };
  const ids = { consumed: stage.consumed_artifact_ids, produced: stage.produced_artifact_ids };
  return { id, node_id, kind, status, outcome, branch, visible_text, verification, error, ...shown, ...ids };
};

const outcomeOf = (run: RunRecord): JsonObject => ({
  status: run.status,
  task: run.task,
  stages: run.stages.map(stageOutcome),
  artifacts: run.artifacts.map(artifactOutcome),
  transitions: run.transitions.map((transition) => {
    const { from_stage_id, from_node_id, to_node_id, branch } = transition;
    const ids = { consumed: transition.consumed_artifact_ids, produced: transition.produced_artifact_ids };
    return { from_stage_id, from_node_id, to_node_id, branch, ...ids };
  }),
  completed_nodes: run.completed_nodes,
  pending_nodes: run.pending_nodes,
  error: run.metadata["error"] ?? null,
  transcript: run.transcript,
  tools: toolOutcomes(run),
});

/** Names ids and times by the order in which they first appear. */
class Names {
  readonly #exact: ReadonlySet<string>;
  readonly #runs: ReadonlySet<string>;
  readonly #names = new Map<string, string>();

  constructor(run: RunRecord) {
    const forked = run.metadata["forked_from"] ?? run.metadata["resumed_from"];
    const source = isObject(forked) ? forked["run_id"] : null;
    this.#runs = new Set([run.id, ...(typeof source === "string" ? [source] : [])]);
    this.#exact = ownIds(run);
  }

  of(text: string): string {
    if (this.#runs.has(text)) return "<run>";
    if (this.#exact.has(text)) return this.#name(text);
    return text.replaceAll(VOLATILE, (found) => (this.#runs.has(found) ? "<run>" : this.#name(found)));
  }

  #name(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const name = `<${this.#names.size}>`;
    this.#names.set(text, name);
    return name;
  }
}

/** The value as canonical JSON with every id and time replaced by its name. */
const neutralText = (value: Json, names: Names): string => {
  if (typeof value === "string") return JSON.stringify(names.of(value));
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map((item) => neutralText(item, names)).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? "null";
  const members: string[] = [];
  for (const key of Object.keys(value).toSorted(byCodePoint)) {
    const member = value[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${neutralText(member, names)}`);
  }
  return `{${members.join(",")}}`;
};

/**
 * A SHA-256 of what a run came to: status, task, stages with their attempts and map branches, artifacts, transitions, queue,
 * transcripts, tool calls and error. Two runs that did the
 * same have the same hash, whatever their ids and times: those count by the order of their first appearance only.
 */
export const stateHash = (run: RunRecord): string => sha256Hex(neutralText(outcomeOf(run), new Names(run)));
