import type { Json, JsonObject } from "../../lib/json.ts";
import { isObject } from "../../lib/json.ts";
import { ok, type Result } from "../../lib/result.ts";
import { stableUuid } from "../../lib/stable-uuid.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { RunExecutionRecord } from "../../schema/record.ts";
import { lessUsage } from "../run/budget.ts";
import { nodeSessionId } from "../run/session-id.ts";
import { NO_USAGE } from "../run/state.ts";
import type { Message } from "../transcript/message.ts";
import type { SessionSeed } from "../transcript/session-seed.ts";
import { continuityReminder, RESUME_CONTINUITY } from "./continuity.ts";
import { planExecution } from "./plan-execution.ts";
import { lacksRun } from "./status.ts";
import type { SubAgentSpec, Worker, WorkerState } from "./state.ts";

/** The node of the run that carries out a stage or a sub-agent (spec/workers 10.4). */
export const DELEGATED_NODE = "delegated_worker";

/** The run that carries out the current cycle of a worker, as it is to be created (spec/workers 10). */
export interface CycleOrder {
  /** That of the cycle before, where this one goes on with its run. */
  readonly run_id: string;
  readonly task: string;
  /** A graph document, to be decoded. */
  readonly graph: JsonObject;
  readonly artifacts: readonly ArtifactRecord[];
  /** Options of the run as they were given, to be decoded. */
  readonly options: JsonObject;
  readonly execution: RunExecutionRecord;
  readonly sessions: readonly SessionSeed[];
}

/** The id of the run of a cycle: the same however often the cycle is started. */
const runIdOf = ({ id, cycle }: Worker): string => stableUuid(`cycle:${id}:${cycle}`);

/** The run that carries out the current cycle, known or not: that of the cycle before, where this one goes on with it. */
export const cycleRunId = (worker: Worker): string => {
  const { config, child_run_id: before } = worker;
  const goesOn = config.mode === "workflow" && before !== null && config.options["resume_path"] != null;
  return goesOn ? before : runIdOf(worker);
};

const messagesOf = (transcript: Json): readonly Message[] => {
  const messages = isObject(transcript) ? transcript["messages"] : undefined;
  return Array.isArray(messages) ? messages.filter(isObject) : [];
};

/** The conversation that a session of the cycle begins with; none where nothing was said. */
const seeded = (sessionId: string | undefined, messages: readonly Message[]): readonly SessionSeed[] =>
  sessionId === undefined || messages.length === 0 ? [] : [{ session_id: sessionId, messages }];

const singleNode = (worker: Worker, node: JsonObject): JsonObject => ({
  id: `worker:${worker.name}`,
  name: worker.name,
  entry: DELEGATED_NODE,
  nodes: { [DELEGATED_NODE]: { ...node, id: DELEGATED_NODE, kind: node["kind"] === "verify" ? "verify" : "stage" } },
  edges: [],
});

/** Options of an agent loop that are settings of the node itself; every other one is a setting of its model. */
const NODE_KEYS = [
  "tools",
  "done_sentinel",
  "exit_when_verified",
  "output_visibility",
  "auto_compact",
  "tool_hooks",
  "script",
  "timeout_ms",
] as const;

const agentNode = ({ system, options, returns_schema: schema, session_id }: SubAgentSpec): JsonObject => {
  const { [RESUME_CONTINUITY]: _told, policy: _policy, approval_policy, ...given } = options;
  const own = NODE_KEYS.flatMap((key) => (given[key] === undefined ? [] : [[key, given[key] as Json] as const]));
  const model = Object.entries(given).filter(([key]) => !(NODE_KEYS as readonly string[]).includes(key));
  return {
    mode: "agent",
    ...(system === null ? {} : { system }),
    ...Object.fromEntries(own),
    ...(approval_policy === undefined ? {} : { approval_policy }),
    ...(schema === null ? {} : { output_schema: schema }),
    model_policy: { ...Object.fromEntries(model), session_id },
  };
};

const subAgentSeeds = (worker: Worker, { session_id, options }: SubAgentSpec): readonly SessionSeed[] => {
  const told = options[RESUME_CONTINUITY];
  const reminder = isObject(told) ? [continuityReminder(told)] : [];
  return seeded(session_id, [...messagesOf(worker.transcript), ...reminder]);
};

const lineage = ({ audit, id, parent_stage_id: stage }: Worker, options: JsonObject): JsonObject => {
  const isGiven = ["resume_path", "resume_run", "parent_run_id"].some((key) => options[key] != null);
  return {
    ...(isGiven || audit.run_id === null ? {} : { parent_run_id: audit.run_id }),
    parent_worker_id: options["parent_worker_id"] ?? id,
    ...(stage === null ? {} : { parent_stage_id: stage }),
    delegated: true,
  };
};

const workflowOptions = (worker: Worker, options: JsonObject): JsonObject => {
  const { resume_path: _path, ...own } = options;
  return { ...own, ...lineage(worker, options) };
};

/** The options of a graph that are kept with it too (spec/workers 10.3). */
const marked = (graph: JsonObject, options: JsonObject): JsonObject => {
  const marks = ["parent_worker_id", "parent_stage_id"].flatMap((key) =>
    typeof options[key] === "string" && options[key] !== "" ? [[key, options[key] as Json] as const] : [],
  );
  if (marks.length === 0) return graph;
  return { ...graph, metadata: { ...(graph["metadata"] as JsonObject), ...Object.fromEntries(marks) } };
};

/** What the run of a delegated stage may spend: what its parent had left, less what earlier cycles have used. */
const budgetOption = ({ parent, usage }: Worker): JsonObject => {
  const budget = parent?.budget;
  return budget === undefined ? {} : { budget: { ...lessUsage(budget, usage ?? NO_USAGE) } };
};

const orderOf = (worker: Worker, execution: RunExecutionRecord): CycleOrder => {
  const { config, task } = worker;
  const fresh = { run_id: cycleRunId(worker), task, execution };
  switch (config.mode) {
    case "workflow":
      return {
        ...fresh,
        graph: marked(config.graph as unknown as JsonObject, config.options),
        artifacts: config.artifacts,
        options: workflowOptions(worker, config.options),
        sessions: [],
      };
    case "stage":
      return {
        ...fresh,
        graph: singleNode(worker, config.node as unknown as JsonObject),
        artifacts: config.artifacts,
        options: { ...lineage(worker, {}), ...budgetOption(worker) },
        sessions: seeded(nodeSessionId(config.node), messagesOf(worker.transcript)),
      };
    case "sub_agent":
      return {
        ...fresh,
        graph: singleNode(worker, agentNode(config.spec)),
        artifacts: [],
        options: { ...lineage(worker, {}), ...budgetOption(worker) },
        sessions: subAgentSeeds(worker, config.spec),
      };
  }
};

/**
 * The run of a worker's current cycle: its graph itself, or one of a single node; the error is why there can be none
 * (spec/workers 5, 10).
 */
export const cycleOrder = (worker: Worker): Result<CycleOrder, string> => {
  const planned = planExecution(worker.execution, worker.id);
  return planned.ok ? ok(orderOf(worker, planned.value.record)) : planned;
};

/** The run that a worker waits to be started, and under what it runs. */
export interface OrderedCycle {
  readonly cycle: number;
  /** The worker was suspended before its run was known: it is created to be paused, and nothing of it begins (spec/workers 32.4). */
  readonly held: boolean;
  /** The error is why there can be no run. */
  readonly order: Result<CycleOrder, string>;
  readonly policy: Worker["carry_policy"]["policy"];
  readonly audit: Worker["audit"];
}

/** What is to be started for a worker's current cycle; null where there is nothing, or its run is known already (W3). */
export const orderedCycle = (worker: WorkerState): OrderedCycle | null => {
  if (worker === null || !lacksRun(worker)) return null;
  const { cycle, carry_policy, audit } = worker;
  return { cycle, held: worker.status === "suspended", order: cycleOrder(worker), policy: carry_policy.policy, audit };
};
