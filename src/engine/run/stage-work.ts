import { isObject, type Json, type JsonObject, valueAt } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { fillTemplate } from "../../lib/template.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { HttpCall } from "../../schema/plan.ts";
import { selectForStage } from "../artifact/stage-selection.ts";
import { renderArtifacts } from "../artifact/render.ts";
import { buildStagePrompt } from "../prompt/stage-prompt.ts";
import { contractsForStage } from "../verification/contracts.ts";
import { renderFindings } from "../verification/findings.ts";
import { selectsArtifacts, stageMode, verifyCommand, verifyFunction } from "./stage-node.ts";
import type { PromptText, Run, StageWork } from "./state.ts";

/** What a stage works on and what it has to do. */
export interface PlannedWork {
  readonly selected: readonly ArtifactRecord[];
  readonly work: StageWork;
}

/** Longest prompt in characters: it is written into one journal entry. */
const MAX_PROMPT_LENGTH = 512 * 1024;

/** The artifacts a node works on (spec/workflow 9.1). */
export const selectArtifactsFor = (run: Run, node: WorkflowNode): readonly ArtifactRecord[] => {
  const mode = stageMode(node);
  const buildsPrompt = mode === "llm" || mode === "agent" || mode === "external";
  if (node.kind !== "stage" || buildsPrompt || selectsArtifacts(node.context_policy, node.input_contract))
    return selectForStage(run.artifacts.toArray(), node.context_policy, node.input_contract);
  const newest: ArtifactRecord[] = [];
  for (let i = run.newest_artifacts_from; i < run.artifacts.length; i++)
    newest.push(run.artifacts.at(i) as ArtifactRecord);
  return newest;
};

/** The input contract's count checks, with the texts of spec/workflow 8.1. */
const inputContractError = (node: WorkflowNode, count: number): string | null => {
  const { min_inputs: min, max_inputs: max, require_transcript: needsSession } = node.input_contract;
  if (needsSession)
    return `workflow stage ${node.id} requires an existing session (call agent_session_open and feed session_id through model_policy before entering this stage)`;
  if (min !== null && min !== undefined && count < min)
    return `workflow stage ${node.id} requires at least ${min} input artifacts`;
  if (max !== null && max !== undefined && count > max)
    return `workflow stage ${node.id} accepts at most ${max} input artifacts`;
  return null;
};

const rangeOf = (prompt: string, part: string): readonly [number, number] => {
  const start = part === "" ? -1 : prompt.lastIndexOf(part);
  return start < 0 ? [0, 0] : [start, start + part.length];
};

const promptText = (run: Run, node: WorkflowNode, selected: readonly ArtifactRecord[]): Result<PromptText, string> => {
  const contracts = contractsForStage(node, run.contracts, run.assets);
  if (!contracts.ok) return contracts;
  const contextText = renderArtifacts(selected, node.context_policy);
  const findings = renderFindings(run.findings, run.graph, node.id ?? "");
  const built = buildStagePrompt({ node, task: run.task, contracts: contracts.value, findings, contextText });
  if (built.prompt.length > MAX_PROMPT_LENGTH)
    return err(
      `workflow stage ${node.id} has a prompt of ${built.prompt.length} characters, more than ${MAX_PROMPT_LENGTH}: bound it with context_policy.max_tokens`,
    );
  return ok({
    prompt: built.prompt,
    system: node.system ?? null,
    context: rangeOf(built.prompt, built.context),
    verification: rangeOf(built.prompt, built.verification),
  });
};

/** What `{{path}}` placeholders of http and function stages can name. */
const templateScope =
  (run: Run, selected: readonly ArtifactRecord[]) =>
  (path: string): Json | undefined => {
    const [head = "", ...rest] = path.split(".");
    const tail = rest.join(".");
    const within = (value: Json | undefined): Json | undefined => (tail === "" ? value : valueAt(value, tail));
    if (head === "task") return within(run.task);
    if (head === "run_id") return within(run.run_id);
    if (head === "workflow_id") return within(run.workflow_id);
    if (head === "trigger_event") return within(run.trigger_event ?? undefined);
    if (head === "input") return within(selected.at(-1) as unknown as Json | undefined);
    if (head === "nodes") return valueAt(outputOf(run, rest[0] ?? ""), rest.slice(1).join(".") || "text");
    return undefined;
  };

/** The newest artifact that a node produced. */
const outputOf = (run: Run, nodeId: string): Json | undefined => {
  for (let i = run.artifacts.length - 1; i >= 0; i--) {
    const artifact = run.artifacts.at(i);
    if (artifact?.stage === nodeId) return artifact as unknown as Json;
  }
  return undefined;
};

const httpCall = (node: WorkflowNode, scope: (path: string) => Json | undefined): Result<HttpCall, string> => {
  const template = { method: "GET", headers: {}, ...node.http } as unknown as JsonObject;
  const filled = fillTemplate(template, scope, "quoted");
  return filled.ok ? ok(filled.value as unknown as HttpCall) : missingPath(node, filled.error);
};

const missingPath = (node: WorkflowNode, path: string): Result<never, string> =>
  err(
    `workflow stage ${node.id}: {{${path}}} names nothing; it can name task, run_id, workflow_id, trigger_event.*, input.*, nodes.<id>.*`,
  );

/** Work of a stage, verify or custom node, or the error that makes the stage fail (spec/workflow 8.1). */
export const planWork = (run: Run, node: WorkflowNode): Result<PlannedWork, string> => {
  const selected = selectArtifactsFor(run, node);
  const contractError = inputContractError(node, selected.length);
  if (contractError !== null) return err(contractError);
  const mode = stageMode(node);
  if (mode === "command") return ok({ selected, work: verifyWork(node) });
  if (mode === "http") {
    const call = httpCall(node, templateScope(run, selected));
    return call.ok ? ok({ selected, work: { type: "http", call: call.value } }) : call;
  }
  if (mode === "function") {
    const input = functionInput(run, node, selected);
    if (!input.ok) return missingPath(node, input.error);
    return ok({ selected, work: { type: "function", call: { name: functionName(node), input: input.value } } });
  }
  const text = promptText(run, node, selected);
  return text.ok ? ok({ selected, work: { type: "model", text: text.value } }) : text;
};

const functionName = (node: WorkflowNode): string =>
  (node.kind === "verify" ? verifyFunction(node) : node.function) ?? "";

const verifyWork = (node: WorkflowNode): StageWork => {
  const command = verifyCommand(node);
  return command === undefined
    ? { type: "given", result: { status: "completed", text: "", visible_text: "" } }
    : { type: "command", command };
};

/** A handler reads no templates, and neither does the task or an artifact that it gets without asking. */
const functionInput = (run: Run, node: WorkflowNode, selected: readonly ArtifactRecord[]): Result<Json, string> =>
  node.input === undefined
    ? ok(defaultInput(run, selected))
    : fillTemplate(node.input, templateScope(run, selected), "kept");

/** A function without `input` gets the task and what its predecessor answered. */
const defaultInput = (run: Run, selected: readonly ArtifactRecord[]): Json => {
  const newest = selected.at(-1);
  const data = isObject(newest?.data) ? newest.data["data"] : undefined;
  return { task: run.task, text: newest?.text ?? null, data: data ?? null };
};
