import type { RunReply } from "../../../src/engine/run/command.ts";
import { isObject, type Json, type JsonObject } from "../../../src/lib/json.ts";
import { decodeArtifacts } from "../../../src/schema/artifact.ts";
import { decodeGraph } from "../../../src/schema/graph.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { decodeEdges, decodeReady, decodeRunOptions, decodeStageReference } from "../../../src/schema/run.ts";
import { constructArtifact } from "../../../src/engine/artifact/handoff-artifact.ts";
import type { CreateRun } from "../../../src/engine/run/command.ts";
import { listArg, OperationFailure, type Operations, textArg, valueOf } from "../operation.ts";
import type { RunObject } from "../run-object.ts";
import type { System } from "../system.ts";

const TENANT = "default";

const isPath = (value: Json | undefined): value is string =>
  typeof value === "string" && value !== "" && value !== "nil";

/** Options in which stored records are named by their path, with the records in their place (spec/workflow 4.2 steps 4, 5, 7). */
const withRecords = (system: System, given: Json): Json => {
  if (!isObject(given)) return given;
  const { resume_path: resume, replay_path: replay, ...options } = given;
  return {
    ...options,
    ...(isPath(resume) ? { persist_path: isPath(options["persist_path"]) ? options["persist_path"] : resume } : {}),
    ...(isPath(resume) ? { resume_run: system.loadRecord(resume) as unknown as Json } : {}),
    ...(isPath(replay) ? { replay_run: system.loadRecord(replay) as unknown as Json } : {}),
  };
};

/** What the trigger that starts the run knows stands in for options that say nothing. */
const withDispatch = (options: Json, dispatch: Json | undefined): Json =>
  isObject(dispatch) ? { ...dispatch, ...(isObject(options) ? options : {}) } : options;

const createCommand = (system: System, args: JsonObject, drive: CreateRun["drive"]): CreateRun => {
  if ((args["graph"] ?? null) === null) throw new OperationFailure("workflow_execute: missing workflow");
  const { context } = system.clock;
  const options = withDispatch(withRecords(system, args["options"] ?? null), args["dispatch_context"]);
  return {
    type: "create_run",
    tenant: TENANT,
    run_id: system.clock.nextId(""),
    task: typeof args["task"] === "string" ? args["task"] : "",
    graph: valueOf(decodeGraph(args["graph"])),
    artifacts: valueOf(decodeArtifacts(args["artifacts"])).map((artifact, index) =>
      valueOf(constructArtifact(artifact, listArg(args, "artifacts")[index] ?? null, context)),
    ),
    options: valueOf(decodeRunOptions(options)),
    drive,
  };
};

/** The run a state handle names; without a handle the one prepared last. */
const runOf = (system: System, args: JsonObject, operation: string): RunObject => {
  const handle = Object.hasOwn(args, "state") ? args["state"] : system.latestRun?.run.state_id;
  if (typeof handle !== "string" || handle === "")
    throw new OperationFailure(`${operation}: missing workflow state id`);
  const object = system.runByState(handle);
  if (object === undefined) throw new OperationFailure(`${operation}: unknown workflow state id ${handle}`);
  return object;
};

const expectReply = <Type extends RunReply["type"]>(reply: RunReply, type: Type): Extract<RunReply, { type: Type }> => {
  if (reply.type !== type) throw new Error(`expected the reply ${type}, got ${JSON.stringify(reply)}`);
  return reply as Extract<RunReply, { type: Type }>;
};

const prepareStage = (system: System, args: JsonObject): StagePlan => {
  const operation = "__host_workflow_stage_prepare";
  const object = runOf(system, args, operation);
  const reply = object.request({
    type: "prepare_stage",
    node_id: textArg(args, "node"),
    ready: valueOf(decodeReady(args["ready"], operation)),
    ...(isObject(args["options"]) ? { options: args["options"] } : {}),
  });
  const { plan } = expectReply(reply, "plan");
  // A command is run while its stage is prepared (spec/workflow 19.29).
  return plan.command === undefined ? plan : { ...plan, result: system.script.runCommand(plan.command) };
};

const completeStage = (system: System, args: JsonObject): Json => {
  const object = runOf(system, args, "__host_workflow_stage_complete");
  const result = args["result"];
  const reply = object.request({
    type: "complete_stage",
    node_id: textArg(args, "node"),
    attempt_token: null,
    result: isObject(result) ? result : {},
  });
  const { stage, control } = expectReply(reply, "completed");
  return { state: control, stage, branch: stage.branch } as unknown as Json;
};

const recordTransitions = (system: System, args: JsonObject): unknown => {
  const operation = "__host_workflow_record_transitions";
  const object = runOf(system, args, operation);
  const reply = object.request({
    type: "record_transitions",
    ready: valueOf(decodeReady(args["ready"], operation)),
    stage: valueOf(decodeStageReference(args["stage"])),
    edges: valueOf(decodeEdges(args["edges"])),
  });
  return expectReply(reply, "control").control;
};

/** What the end of a run answers (spec/workflow 4.9). */
const finalEnvelope = (object: RunObject): JsonObject => {
  const run = object.record("now");
  const { status, artifacts, transcript, persisted_path: path } = run;
  return { status, run, artifacts, transcript, path } as unknown as JsonObject;
};

const finalize = (system: System, args: JsonObject): JsonObject => {
  const operation = "__host_workflow_finalize_run";
  const object = runOf(system, args, operation);
  object.request({ type: "finalize_run", ready: valueOf(decodeReady(args["ready"], operation)) });
  return finalEnvelope(object);
};

const drive = async (system: System, args: JsonObject): Promise<JsonObject> => {
  system.script.open();
  const { object } = system.createRun(createCommand(system, args, "auto"));
  if ((await system.workers.walk(object, { executor: system.script })) !== "idle")
    throw new Error("the driver stopped although the run has not ended");
  const { status, error, steps } = object.run;
  if (status === "failed") throw new OperationFailure(error ?? "the run failed");
  return { ...finalEnvelope(object), steps, provider_calls: system.script.providerCalls };
};

/** Runs, step by step and as a whole (spec/workflow 4 and 5). */
export const runOperations: Operations = {
  prepare_run: (system, args) => {
    const { object, control } = system.createRun(createCommand(system, args, "manual"));
    return { ...control, graph: object.run.graph };
  },
  stage_prepare: prepareStage,
  stage_complete: completeStage,
  record_transitions: recordTransitions,
  finalize,
  inspect_run: (system, args) => runOf(system, args, "inspect_run").record("now"),
  drive,
};
