import { givenText } from "../lib/display.ts";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { type ArtifactRecord, decodeArtifacts } from "./artifact.ts";
import type { DecodeError } from "./decode.ts";
import { type DecodedGraph, decodeGraph, decodeNode, type WorkflowNode } from "./graph.ts";
import { type CapabilityPolicy, decodeCapabilityPolicy } from "./policy.ts";
import { decodeMutationSession, type MutationSessionRecord } from "./record.ts";
import { decodeWorkerCarry, type WorkerCarry } from "./worker-carry.ts";
import { decodeWorkerExecution, type WorkerExecutionProfile } from "./worker-execution.ts";
import { decodeWorkerPolicy, type WorkerPolicyConfig } from "./worker-policy.ts";

/** What `sub_agent_run` is asked for, with what its own keys say taken out of the options (spec/workers 15.1). */
export interface SubAgentRequest {
  /** null where every tool may be used. */
  readonly allowed_tools: readonly string[] | null;
  readonly policy: CapabilityPolicy | null;
  readonly returns_schema: Json;
  readonly system: string | null;
  /** null for a session of its own. */
  readonly session_id: string | null;
  readonly name: string | null;
  /** Options of the agent loop, as they were given. */
  readonly options: JsonObject;
}

/** A workflow or a stage for a worker, in the same form in a spawn config and in a snapshot (spec/workers 1.2, 2). */
export type DelegatedWork =
  | {
      readonly mode: "workflow";
      readonly graph: DecodedGraph;
      readonly artifacts: readonly ArtifactRecord[];
      readonly options: JsonObject;
    }
  | {
      readonly mode: "stage";
      readonly node: WorkflowNode;
      readonly artifacts: readonly ArtifactRecord[];
      readonly transcript: Json;
    };

/** What a worker is to execute, as a spawn config says it. */
export type SpawnKind = DelegatedWork | { readonly mode: "sub_agent"; readonly request: SubAgentRequest };

/** A spawn config with each part read for itself; whoever resolves it takes the first part that could not be read. */
export interface SpawnDraft {
  readonly task: string;
  readonly name: string | null;
  readonly wait: boolean;
  readonly carry: Result<WorkerCarry, string>;
  readonly policy: Result<WorkerPolicyConfig, string>;
  readonly execution: Result<WorkerExecutionProfile, string>;
  readonly audit: Result<MutationSessionRecord, string>;
  readonly kind: Result<SpawnKind, string>;
  /** The conditions under which it is born parked, unread; null for none (spec/workers 2). */
  readonly resume_when: Json;
}

const messageOf = <Value>(result: Result<Value, DecodeError>): Result<Value, string> =>
  result.ok ? result : err(result.error.message);

const filledText = (value: Json | undefined): string | null =>
  typeof value === "string" && value.trim() !== "" ? value : null;

const allowedTools = (value: Json | undefined): Result<readonly string[] | null, string> => {
  if (value === undefined || value === null) return ok(null);
  if (!Array.isArray(value) || !value.every((name) => typeof name === "string"))
    return err("sub_agent_run.allowed_tools: expected a list of strings");
  return ok([...new Set(value.map((name) => name.trim()))].filter((name) => name !== ""));
};

const OWN_KEYS: readonly string[] = [
  "background",
  "carry",
  "returns",
  "allowed_tools",
  "name",
  "execution",
  "system",
  "session_id",
  "policy",
  "resume_when",
];

const isRegistry = (tools: Json | undefined): boolean =>
  tools === undefined || tools === null || (isObject(tools) && tools["_type"] === "tool_registry");

/** Reads the options of `sub_agent_run` (spec/workers 15.1). */
export const decodeSubAgent = (task: string, given: Json): Result<SubAgentRequest, string> => {
  if (task.trim() === "") return err("sub_agent_run: task is required");
  if (given !== null && !isObject(given)) return err("sub_agent_run: options must be a dict or nil");
  const source = given ?? {};
  const tools = allowedTools(source["allowed_tools"]);
  if (!tools.ok) return tools;
  if (tools.value !== null && !isRegistry(source["tools"])) return err("sub_agent_run: tools must be a tool registry");
  const ceiling = source["policy"] ?? null;
  const policy = ceiling === null ? ok(null) : messageOf(decodeCapabilityPolicy(ceiling));
  if (!policy.ok) return err(`sub_agent_run: ${policy.error}`);
  const returns = isObject(source["returns"]) ? source["returns"] : {};
  return ok({
    allowed_tools: tools.value,
    policy: policy.value,
    returns_schema: returns["schema"] ?? null,
    system: filledText(source["system"]),
    session_id: filledText(source["session_id"]),
    name: givenText(source["name"]),
    options: Object.fromEntries(Object.entries(source).filter(([key]) => !OWN_KEYS.includes(key))),
  });
};

/** The node with the permissions of the config as its own (spec/workers 2). */
const withPermissions = (node: Json, permissions: Json): Json => {
  if (permissions === null || !isObject(node)) return node;
  const policy = node["model_policy"] ?? {};
  return isObject(policy) ? { ...node, model_policy: { ...policy, permissions } } : node;
};

const optionsOf = (config: JsonObject): JsonObject => {
  const options = isObject(config["options"]) ? config["options"] : {};
  return Object.fromEntries(Object.entries(options).filter(([key]) => key !== "resume_when"));
};

const workflowKind = (config: JsonObject, given: Json): Result<SpawnKind, string> => {
  const graph = messageOf(decodeGraph(given));
  if (!graph.ok) return graph;
  const artifacts = messageOf(decodeArtifacts(config["artifacts"]));
  if (!artifacts.ok) return artifacts;
  return ok({ mode: "workflow", graph: graph.value, artifacts: artifacts.value, options: optionsOf(config) });
};

const stageKind = (config: JsonObject, given: Json): Result<SpawnKind, string> => {
  const node = messageOf(decodeNode(withPermissions(given, config["permissions"] ?? null), "spawn_agent node"));
  if (!node.ok) return node;
  const artifacts = messageOf(decodeArtifacts(config["artifacts"]));
  if (!artifacts.ok) return artifacts;
  const transcript = config["transcript"] ?? null;
  return ok({ mode: "stage", node: node.value, artifacts: artifacts.value, transcript });
};

const kindOf = (config: JsonObject, task: string): Result<SpawnKind, string> => {
  const { graph, node, sub_agent: subAgent } = config;
  if (graph !== undefined && graph !== null) return workflowKind(config, graph);
  if (node !== undefined && node !== null) return stageKind(config, node);
  if (subAgent === undefined || subAgent === null) return err("spawn_agent: config requires either graph or node");
  const request = decodeSubAgent(task, subAgent);
  return request.ok ? ok({ mode: "sub_agent", request: request.value }) : request;
};

const present = (value: Json | undefined): boolean => value !== undefined && value !== null;

/** The options of a sub-agent, where a config asks for one. */
const subAgentOptions = (config: JsonObject): JsonObject => {
  const { sub_agent: options } = config;
  return isObject(options) && !present(config["graph"]) && !present(config["node"]) ? options : {};
};

/** A config whose `carry` and `execution` are those of its sub-agent, where that has its own. */
const ofSubAgent = (config: JsonObject, options: JsonObject): JsonObject => ({
  ...config,
  ...(isObject(options["carry"]) ? { carry: options["carry"] } : {}),
  ...(present(options["execution"]) ? { execution: options["execution"] ?? null } : {}),
});

/**
 * Reads a spawn config (spec/workers 2): `task` and one of `graph`, `node` and `sub_agent`, whose value is the options of
 * `sub_agent_run`. Only a config without a task is refused here; what depends on the parent is resolved elsewhere.
 */
export const decodeSpawnConfig = (value: Json | undefined): Result<SpawnDraft, string> => {
  if (value === undefined) return err("spawn_agent: missing config");
  if (!isObject(value)) return err("spawn_agent: config must be a dict");
  const task = givenText(value["task"]);
  if (task === null) return err("spawn_agent: config.task is required");
  const subAgent = subAgentOptions(value);
  const config = ofSubAgent(value, subAgent);
  const options = isObject(value["options"]) ? value["options"] : {};
  return ok({
    task,
    name: givenText(value["name"]),
    wait: value["wait"] === true,
    carry: decodeWorkerCarry(config),
    policy: decodeWorkerPolicy(config),
    execution: decodeWorkerExecution(config["execution"]),
    audit: messageOf(decodeMutationSession(value["audit"] ?? {}, "worker audit")),
    kind: kindOf(value, task),
    resume_when: options["resume_when"] ?? subAgent["resume_when"] ?? null,
  });
};
