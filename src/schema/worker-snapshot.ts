import { parseJson } from "../lib/json-text.ts";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { type ArtifactRecord, decodeArtifacts } from "./artifact.ts";
import { type DecodeError, nestingIssue } from "./decode.ts";
import { decodeGraph, decodeNode } from "./graph.ts";
import { decodeMutationSession, type MutationSessionRecord } from "./record.ts";
import { decodeSnapshotCarry, type SnapshotCarry } from "./worker-carry.ts";
import { decodeWorkerExecution, type WorkerExecutionProfile } from "./worker-execution.ts";
import type { DelegatedWork } from "./worker-spawn.ts";
import type { SubAgentSpec } from "../engine/worker/state.ts";

/** What a snapshot says a worker executes (spec/workers 1.2). */
export type SnapshotConfig = DelegatedWork | { readonly mode: "sub_agent"; readonly spec: SubAgentSpec };

/** A snapshot whose parts are known to be in form; the rest of it is read leniently (spec/workers 12.4). */
export interface DecodedSnapshot {
  readonly source: JsonObject;
  readonly config: SnapshotConfig;
  readonly carry_policy: SnapshotCarry;
  readonly execution: WorkerExecutionProfile;
  /** null where it is not in form. */
  readonly audit: MutationSessionRecord | null;
  readonly artifacts: readonly ArtifactRecord[];
}

const labelled = <Value>(result: Result<Value, DecodeError>, label: string): Result<Value, string> =>
  result.ok ? result : err(`${label}: ${result.error.message}`);

const decodeSnapshotArtifacts = (value: Json | undefined): Result<readonly ArtifactRecord[], string> =>
  labelled(decodeArtifacts(value), "worker snapshot artifacts parse error");

const textIn = (source: JsonObject, key: string): string => {
  const value = source[key];
  return typeof value === "string" ? value : "";
};

const textOrNull = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);

const decodeSpec = (value: Json | undefined): Result<SubAgentSpec, string> => {
  if (!isObject(value)) return err("worker snapshot sub-agent spec must be an object");
  const { options } = value;
  if (options !== undefined && options !== null && !isObject(options))
    return err("worker snapshot sub-agent parse error: options: expected an object");
  return ok({
    name: textIn(value, "name"),
    task: textIn(value, "task"),
    system: textOrNull(value["system"]),
    options: isObject(options) ? options : {},
    returns_schema: value["returns_schema"] ?? null,
    session_id: textIn(value, "session_id"),
    parent_session_id: textOrNull(value["parent_session_id"]),
  });
};

const decodeWorkflow = (config: JsonObject): Result<SnapshotConfig, string> => {
  const graph = labelled(decodeGraph(config["graph"]), "worker snapshot graph parse error");
  if (!graph.ok) return graph;
  const artifacts = decodeSnapshotArtifacts(config["artifacts"]);
  if (!artifacts.ok) return artifacts;
  const options = isObject(config["options"]) ? config["options"] : {};
  return ok({ mode: "workflow", graph: graph.value, artifacts: artifacts.value, options });
};

const decodeStage = (config: JsonObject): Result<SnapshotConfig, string> => {
  const node = decodeNode(config["node"], "worker snapshot node");
  if (!node.ok) return err(node.error.message);
  const artifacts = decodeSnapshotArtifacts(config["artifacts"]);
  if (!artifacts.ok) return artifacts;
  const transcript = config["transcript"] ?? null;
  return ok({ mode: "stage", node: node.value, artifacts: artifacts.value, transcript });
};

const decodeConfig = (value: Json | undefined): Result<SnapshotConfig, string> => {
  const config = isObject(value) ? value : {};
  switch (config["mode"]) {
    case "workflow":
      return decodeWorkflow(config);
    case "stage":
      return decodeStage(config);
    case "sub_agent": {
      const spec = decodeSpec(config["spec"]);
      return spec.ok ? ok({ mode: "sub_agent", spec: spec.value }) : spec;
    }
    default:
      return err("worker snapshot is missing a valid config mode");
  }
};

/** Reads a snapshot, of this engine or from elsewhere, or says what of it is not in form (spec/workers 12.4). */
export const decodeSnapshot = (value: Json): Result<DecodedSnapshot, string> => {
  const tooDeep = nestingIssue(value);
  if (tooDeep !== null) return err(`worker snapshot parse error: ${tooDeep.path}: ${tooDeep.message}`);
  const source = isObject(value) ? value : {};
  const carry = decodeSnapshotCarry(source["carry_policy"]);
  if (!carry.ok) return carry;
  const config = decodeConfig(source["config"]);
  if (!config.ok) return config;
  const execution = decodeWorkerExecution(source["execution"], "worker snapshot execution");
  if (!execution.ok) return execution;
  const artifacts = decodeSnapshotArtifacts(source["artifacts"]);
  if (!artifacts.ok) return artifacts;
  const audit = decodeMutationSession(source["audit"] ?? {}, "worker audit");
  return ok({
    source,
    config: config.value,
    carry_policy: carry.value,
    execution: execution.value,
    audit: audit.ok ? audit.value : null,
    artifacts: artifacts.value,
  });
};

/** Reads the text of a snapshot (spec/workers 12.4). */
export const readSnapshot = (text: string): Result<DecodedSnapshot, string> => {
  const parsed = parseJson(text);
  return parsed.ok ? decodeSnapshot(parsed.value) : err(`worker snapshot parse error: ${parsed.error}`);
};
