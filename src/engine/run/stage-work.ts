import { filledLength } from "../../lib/body-marker.ts";
import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { HttpCall } from "../../schema/plan.ts";
import { selectForStage } from "../artifact/stage-selection.ts";
import { reducerInputExcess } from "../node/reducer-input.ts";
import { stageContext } from "../prompt/context-assembler.ts";
import { buildStagePrompt } from "../prompt/stage-prompt.ts";
import { contractsForStage } from "../verification/contracts.ts";
import { sessionExists } from "../transcript/session.ts";
import { renderFindings } from "../verification/findings.ts";
import { filledTemplate } from "./filled-template.ts";
import { planPerson } from "./person.ts";
import { nodeSessionId } from "./session-id.ts";
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
const inputContractError = (run: Run, node: WorkflowNode, count: number): string | null => {
  const { min_inputs: min, max_inputs: max, require_transcript: needsSession } = node.input_contract;
  if (needsSession && !sessionExists(run.sessions, nodeSessionId(node)))
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

const promptText = (run: Run, node: WorkflowNode, { selected, task }: UnitInput): Result<PromptText, string> => {
  const contracts = contractsForStage(node, run.contracts, run.assets);
  if (!contracts.ok) return contracts;
  const context = stageContext(node, selected, task);
  if (!context.ok) return context;
  const findings = renderFindings(run.findings, run.graph, node.id ?? "");
  const built = buildStagePrompt({ node, task, contracts: contracts.value, findings, contextText: context.value });
  const length = filledLength(built.prompt);
  if (length > MAX_PROMPT_LENGTH)
    return err(
      `workflow stage ${node.id} has a prompt of ${length} characters, more than ${MAX_PROMPT_LENGTH}: bound it with context_policy.max_tokens`,
    );
  return ok({
    prompt: built.prompt,
    system: node.system ?? null,
    context: rangeOf(built.prompt, built.context),
    verification: rangeOf(built.prompt, built.verification),
  });
};

const httpCall = (run: Run, node: WorkflowNode, input: UnitInput): Result<HttpCall, string> => {
  const template = { method: "GET", headers: {}, ...node.http } as unknown as JsonObject;
  const filled = filledTemplate(run, { node_id: node.id ?? "", input, template }, "quoted");
  return filled.ok ? ok(filled.value as unknown as HttpCall) : filled;
};

/** Work of a stage, verify or custom node, or the error that makes the stage fail (spec/workflow 8.1). */
export const planWork = (run: Run, node: WorkflowNode): Result<PlannedWork, string> => {
  const selected = selectArtifactsFor(run, node);
  const contractError = inputContractError(run, node, selected.length);
  if (contractError !== null) return err(contractError);
  const work = planUnit(run, node, { selected, task: run.task });
  return work.ok ? ok({ selected, work: work.value }) : work;
};

/** What a stage, or a branch of a map, works on. */
export interface UnitInput {
  readonly selected: readonly ArtifactRecord[];
  readonly task: string;
}

/** The work of a stage, or of a branch of a map, on what was selected for it. */
export const planUnit = (run: Run, node: WorkflowNode, input: UnitInput): Result<StageWork, string> => {
  const mode = stageMode(node);
  if (mode === "command") return ok(verifyWork(node));
  if (mode === "sleep") return ok({ type: "sleep" });
  if (mode === "wait") return ok({ type: "wait", message: node.wait?.message ?? "" });
  if (mode === "person") return planPerson(run, node, { input, defaultInput: defaultInput(input) });
  if (mode === "http") {
    const call = httpCall(run, node, input);
    return call.ok ? ok({ type: "http", call: call.value }) : call;
  }
  if (node.kind === "reduce") return reducerWork(node, input);
  if (mode === "function") {
    const filled = functionInput(run, node, input);
    if (!filled.ok) return filled;
    return ok({ type: "function", call: { name: functionName(node), input: filled.value } });
  }
  const text = promptText(run, node, input);
  return text.ok ? ok({ type: "model", text: text.value }) : text;
};

/** A reducer's inputs are put into its plan when that is made: they are in the run already. */
const reducerWork = (node: WorkflowNode, { selected }: UnitInput): Result<StageWork, string> => {
  const excess = reducerInputExcess(node.id ?? "", selected);
  return excess === null ? ok({ type: "reduce", function: node.function ?? "" }) : err(excess);
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
const functionInput = (run: Run, node: WorkflowNode, input: UnitInput): Result<Json, string> =>
  node.input === undefined
    ? ok(defaultInput(input))
    : filledTemplate(run, { node_id: node.id ?? "", input, template: node.input }, "kept");

/** A function without `input` gets the task and what its predecessor answered. */
const defaultInput = ({ selected, task }: UnitInput): Json => {
  const newest = selected.at(-1);
  const data = isObject(newest?.data) ? newest.data["data"] : undefined;
  return { task, text: newest?.text ?? null, data: data ?? null };
};
