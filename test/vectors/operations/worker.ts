import { normalizeArtifact } from "../../../src/engine/artifact/normalize.ts";
import { resolveWorkerPolicy } from "../../../src/engine/policy/worker-policy.ts";
import { carryArtifacts } from "../../../src/engine/worker/artifact-carry.ts";
import { compactPayload } from "../../../src/engine/worker/delegated.ts";
import { workerIdOf } from "../../../src/engine/worker/handle.ts";
import { planExecution } from "../../../src/engine/worker/plan-execution.ts";
import { replayWorkerConfig, restartedFields } from "../../../src/engine/worker/restart.ts";
import { restoredWorker } from "../../../src/engine/worker/restored-worker.ts";
import { resumeMetadata, suspensionMetadata } from "../../../src/engine/worker/span-metadata.ts";
import type { Worker, WorkerCarryPolicy } from "../../../src/engine/worker/state.ts";
import { carryTranscript } from "../../../src/engine/worker/transcript-carry.ts";
import { isObject, type Json, type JsonObject } from "../../../src/lib/json.ts";
import { decodeArtifacts } from "../../../src/schema/artifact.ts";
import { decodeWorkerCarry } from "../../../src/schema/worker-carry.ts";
import { decodeWorkerExecution } from "../../../src/schema/worker-execution.ts";
import { decodeWorkerPolicy } from "../../../src/schema/worker-policy.ts";
import { decodeSnapshot } from "../../../src/schema/worker-snapshot.ts";
import { type Operations, textArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";

const objectArg = (args: JsonObject, name: string): JsonObject => {
  const value = args[name] ?? {};
  if (!isObject(value)) throw new Error(`the argument ${name} must be an object`);
  return value;
};

const textOrNull = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);

/** The carry policy of a config that nobody else restricts. */
const carryOf = (config: JsonObject): WorkerCarryPolicy => {
  const carry = valueOf(decodeWorkerCarry(config));
  const policy = valueOf(resolveWorkerPolicy({ ...valueOf(decodeWorkerPolicy(config)), parent: null }));
  return { ...carry, policy };
};

const carryArg = (args: JsonObject): WorkerCarryPolicy => carryOf({ carry: args["carry"] ?? {} });

const artifactCarry = (system: System, args: JsonObject) => {
  const { context } = system.clock;
  const given = valueOf(decodeArtifacts(args["artifacts"])).map((artifact) => normalizeArtifact(artifact, context));
  return carryArtifacts(given, carryArg(args)).map(({ id }) => id);
};

const transcriptCarry = (system: System, args: JsonObject) =>
  valueOf(carryTranscript(args["transcript"] ?? null, carryArg(args).transcript_mode, system.clock.context));

const resetState = (system: System, args: JsonObject) => {
  const worker = objectArg(args, "worker");
  const known: Pick<Worker, "history" | "latest_payload"> = {
    history: (worker["history"] ?? []) as readonly string[],
    latest_payload: worker["latest_payload"] ?? null,
  };
  const request = { task: textArg(args, "next_task"), clear_payload: args["clear_latest_payload"] === true };
  return { ...worker, ...restartedFields(known, request, system.clock.context) };
};

const replayConfig = (system: System, args: JsonObject) => {
  const { context } = system.clock;
  const snapshot = valueOf(decodeSnapshot({ ...objectArg(args, "worker"), config: args["config"] ?? null }));
  const worker = valueOf(restoredWorker(snapshot, { tenant: "default", path: "" }, context));
  const carrying = { ...worker, carry_policy: carryArg(args) };
  return valueOf(replayWorkerConfig(carrying, textArg(args, "next_task"), context));
};

const suspensionMarks = (args: JsonObject) =>
  suspensionMetadata({
    worker_id: textArg(args, "worker_id"),
    reason: textArg(args, "reason"),
    initiator: textArg(args, "initiator"),
    has_conditions: args["has_conditions"] === true,
    pipeline_span_id: textOrNull(args["pipeline_span_id"]),
    parent_worker_id: textOrNull(args["parent_worker_id"]),
  });

const resumeMarks = (args: JsonObject) =>
  resumeMetadata({
    worker_id: textArg(args, "worker_id"),
    initiator: textArg(args, "initiator"),
    continue_transcript: args["continue_transcript"] === true,
    had_resume_input: args["had_resume_input"] === true,
    linked_suspension_count: Number(args["linked_suspension_count"]),
  });

/** The rules of delegated workers (spec/workers 1.6, 4, 5, 14.6, 16 and 19). */
const ruleOperations: Operations = {
  parse_carry_policy: (_system, args) => carryOf(objectArg(args, "config")),
  apply_artifact_carry: artifactCarry,
  apply_transcript_carry: transcriptCarry,
  plan_execution: (_system, args) =>
    valueOf(planExecution(valueOf(decodeWorkerExecution(args["execution"])), textArg(args, "worker_id"))),
  compact_payload: (_system, args) => compactPayload(args["payload"] ?? null),
  resolve_worker_id: (_system, args) => valueOf(workerIdOf(args["value"])),
  reset_worker_state: resetState,
  replay_worker_config: replayConfig,
  suspension_metadata: (_system, args) => suspensionMarks(args),
  resume_metadata: (_system, args) => resumeMarks(args),
};

/** Delegated workers. */
export const workerOperations: Operations = { ...ruleOperations };
