import type { Json, JsonObject } from "../../lib/json.ts";
import { rfc3339, type Timestamp } from "../../lib/time.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { StagePlan } from "../../schema/plan.ts";
import { reducerInput } from "../node/reducer-input.ts";
import { stagePolicies } from "../policy/scopes.ts";
import { toolNames } from "../policy/tools.ts";
import { compactionIsEnabled } from "../transcript/compaction-settings.ts";
import { sessionIn } from "../transcript/session.ts";
import { textChecks } from "../verification/body-evidence.ts";
import { openById } from "./open.ts";
import { promptOfAttempt } from "./retry-feedback.ts";
import { transcriptValue } from "./run-transcript.ts";
import { runsAgentLoop, stageTimeout, unitNode } from "./stage-node.ts";
import type { PreparedStage, Run } from "./state.ts";

const MODEL_KEYS = [
  "provider",
  "model",
  "model_tier",
  "temperature",
  "max_tokens",
  "thinking",
  "reasoning_effort",
] as const;

const AGENT_KEYS = [
  "max_iterations",
  "max_nudges",
  "nudge",
  "tool_examples",
  "stop_after_successful_tools",
  "require_successful_tools",
  "turn_policy",
  "max_total_tokens",
  "max_cost_usd",
  "llm_retries",
  "llm_backoff_ms",
  "tool_retries",
  "tool_backoff_ms",
  "loop_detect_warn",
  "loop_detect_block",
  "loop_detect_skip",
  "permissions",
  "subagents",
] as const;

/** Settings of a node, without those that are not set. */
const settings = (source: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(
    keys.flatMap((key) => (source[key] === null || source[key] === undefined ? [] : [[key, source[key] as Json]])),
  );

const llmOptions = (node: WorkflowNode, prepared: PreparedStage): JsonObject => {
  const policy = node.model_policy as unknown as JsonObject;
  return {
    tool_format: policy["tool_format"] ?? "text",
    session_id: prepared.session_id,
    ...settings(policy, MODEL_KEYS),
    ...settings(policy, ["base_url", "context_tokens", "top_p", "top_k", "output_schema", "schema_retries"]),
    ...(toolNames(node.tools as Json).length > 0 ? { tools: node.tools as Json } : {}),
  };
};

/** What the calls of an agent are judged by: the policies of all scopes together (spec/workflow 10.3, 10.4, I8). */
const policyOptions = (run: Run, node: WorkflowNode, { options }: PreparedStage): JsonObject => {
  const policies = stagePolicies(run, node, options);
  if (!policies.ok) return {};
  const { policy, approval } = policies.value;
  return { policy: policy as unknown as Json, approval_policy: approval as unknown as Json };
};

const agentLoopOptions = (run: Run, node: WorkflowNode, prepared: PreparedStage): JsonObject => ({
  ...llmOptions(node, prepared),
  ...policyOptions(run, node, prepared),
  loop_until_done: true,
  persistent: true,
  max_iterations: 16,
  max_nudges: 3,
  tool_retries: 0,
  tool_backoff_ms: 1000,
  schema_retries: 0,
  native_tool_fallback: "allow",
  daemon: false,
  llm_retries: 2,
  llm_backoff_ms: 2000,
  exit_when_verified: node.exit_when_verified,
  loop_detect_warn: 2,
  loop_detect_block: 3,
  loop_detect_skip: 4,
  ...settings(node.model_policy as unknown as JsonObject, AGENT_KEYS),
  ...settings(node.auto_compact as unknown as JsonObject, ["tool_output_max_chars"]),
  ...(node.tool_hooks === undefined ? {} : { tool_hooks: node.tool_hooks as unknown as Json }),
  ...(node.done_sentinel === null ? {} : { done_sentinel: node.done_sentinel as Json }),
});

const mapOptions = (run: Run): JsonObject => {
  const transcript = transcriptValue(run.transcript);
  return { task: run.task, ...(transcript === null ? {} : { transcript }) };
};

/** The conversation of a stage and what it has recorded, for those that have one (spec/workflow 14.3). */
const sessionPart = (run: Run, { session_id: id, loop }: PreparedStage): Partial<StagePlan> => {
  const session = sessionIn(run.sessions, id);
  if (session === undefined) return {};
  const { summary, revision } = session;
  const messages = session.messages.toArray();
  return {
    session: {
      id: session.id,
      messages,
      ...(summary === null ? {} : { summary }),
      ...(revision === 0 ? {} : { revision }),
    },
    ...(loop === null
      ? {}
      : {
          progress: {
            steps: loop.steps,
            iterations: loop.iterations,
            tool_calls: loop.tool_calls.toArray(),
            usage: loop.usage,
            messages_from: loop.messages_from,
            approvals: loop.approvals,
          },
        }),
  };
};

/** The worker that the agents of the run may park (spec/workers 17.7). */
const workerPart = ({ report_to: to }: Run): Partial<StagePlan> =>
  to !== null && "worker_id" in to ? { worker_id: to.worker_id } : {};

const selectedOf = (run: Run, { selected_artifact_ids: ids }: PreparedStage): readonly ArtifactRecord[] => {
  const wanted = new Set(ids);
  const found = new Map<string, ArtifactRecord>();
  for (const artifact of run.artifacts.toArray()) if (wanted.has(artifact.id)) found.set(artifact.id, artifact);
  return ids.flatMap((id) => found.get(id) ?? []);
};

const mapPart = (run: Run, node: WorkflowNode): Partial<StagePlan> => ({
  run_map_stage: true,
  node: node as unknown as Json,
  artifacts: run.artifacts.toArray() as unknown as Json,
  map_options: mapOptions(run),
});

const workPart = (run: Run, node: WorkflowNode, prepared: PreparedStage): Partial<StagePlan> => {
  const { work } = prepared;
  switch (work.type) {
    case "precomputed":
      return { result: work.executed.result };
    case "given":
      return { result: work.result };
    case "command":
      return { command: work.command };
    case "map":
      return mapPart(run, node);
    case "sleep":
    case "wait":
    case "delegate":
      return {};
    case "person":
      return work.approved === true && work.handler !== null ? { function: work.handler } : {};
    case "condition":
      return { condition: work.call };
    case "http":
      return { http: work.call };
    case "function":
      return { function: work.call };
    case "reduce":
      return { function: { name: work.function, input: reducerInput(selectedOf(run, prepared)) } };
    case "model":
      return {
        prompt: promptOfAttempt(work.text.prompt, prepared, node.retry_policy),
        system: work.text.system,
        run_agent_loop: runsAgentLoop(node),
        llm_options: llmOptions(node, prepared),
        agent_loop_options: agentLoopOptions(run, node, prepared),
        ...(compactionIsEnabled(node.auto_compact as unknown as JsonObject)
          ? { auto_compact: node.auto_compact as unknown as JsonObject }
          : {}),
        ...(node.output_schema == null ? {} : { output_schema: node.output_schema as JsonObject }),
        ...sessionPart(run, prepared),
        ...workerPart(run),
      };
  }
};

/**
 * The how manieth execution of its node this is, counted from 1, for a branch that of its map; only scripts ask, so it is
 * counted when asked.
 */
const visitOf = (run: Run, { node_id: own, branch_of: branch }: PreparedStage): number => {
  const nodeId = branch === null ? own : (openById(run, branch.map_stage_id)?.node_id ?? own);
  const earlier = Object.hasOwn(run.earlier_visits, nodeId) ? (run.earlier_visits[nodeId] ?? 0) : 0;
  return earlier + run.completions.keys().filter((token) => run.completions.get(token)?.node_id === nodeId).length + 1;
};

/** The plan of the prepared stage as its executor gets it (spec/workflow 4.5). */
export const planOf = (run: Run, prepared: PreparedStage, now: Timestamp): StagePlan => {
  const node = unitNode(run, prepared);
  const mode = prepared.work.type === "person" && prepared.work.approved === true ? "function" : prepared.mode;
  const script = (node as unknown as JsonObject)["script"];
  const checks = textChecks(node.verify as Json);
  return {
    kind: prepared.kind,
    run_id: run.run_id,
    workflow_id: run.workflow_id,
    node_id: prepared.node_id,
    stage_id: prepared.stage_id,
    attempt: prepared.attempt,
    attempt_token: prepared.attempt_token,
    ...(prepared.holder === "driver" ? {} : { lease_expires_at: rfc3339(now + prepared.lease_ms) }),
    idempotency_key: prepared.stage_id,
    mode,
    timeout_ms: stageTimeout(node, mode),
    ...workPart(run, node, prepared),
    ...(checks === null ? {} : { checks }),
    ...(Object.keys(node.metadata).length === 0 ? {} : { metadata: node.metadata as JsonObject }),
    task: run.task,
    ...(script === undefined ? {} : { script, visit: visitOf(run, prepared) }),
  };
};
