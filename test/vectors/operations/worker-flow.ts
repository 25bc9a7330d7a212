import type { Answer } from "../../../src/engine/machine.ts";
import type { WorkerReply } from "../../../src/engine/worker/command.ts";
import { workerIdOf } from "../../../src/engine/worker/handle.ts";
import { restoredWorker } from "../../../src/engine/worker/restored-worker.ts";
import { snapshotTarget } from "../../../src/engine/worker/snapshot-path.ts";
import { resolveSpawn, type SpawnScope } from "../../../src/engine/worker/spawn.ts";
import { summaryOf } from "../../../src/engine/worker/summary.ts";
import { givenText } from "../../../src/lib/display.ts";
import { isObject, type Json, type JsonObject } from "../../../src/lib/json.ts";
import { decodeCapabilityPolicy } from "../../../src/schema/policy.ts";
import { decodeMutationSession } from "../../../src/schema/record.ts";
import { decodeSpawnConfig } from "../../../src/schema/worker-spawn.ts";
import { readSnapshot } from "../../../src/schema/worker-snapshot.ts";
import { OperationFailure, type Operations, textArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";
import type { WorkerObject } from "../worker-object.ts";
import { TENANT, unknown } from "../worker-objects.ts";

const workerOf = (system: System, reference: Json | undefined): WorkerObject => {
  const id = valueOf(workerIdOf(reference));
  const object = system.workers.find(id);
  if (object === null) throw new OperationFailure(unknown(id));
  return object;
};

const summaryIn = (answer: Answer<WorkerReply>): JsonObject => {
  if (!answer.ok) throw new OperationFailure(answer.rejection.detail);
  return answer.reply.summary;
};

/** What a worker takes over from where it is started. */
const scopeOf = ({ parent_policy: policy, parent_session: session }: JsonObject): SpawnScope => {
  const given = typeof session === "string" ? { session_id: session } : (session ?? null);
  const audit = given === null ? null : valueOf(decodeMutationSession(given, "worker audit"));
  return {
    policy: policy == null ? null : valueOf(decodeCapabilityPolicy(policy)),
    audit,
    session_id: audit?.session_id || null,
    check_trigger: () => null,
  };
};

const spawn = async (system: System, args: JsonObject): Promise<Json> => {
  const { clock, workers } = system;
  const { wait, ...init } = valueOf(
    resolveSpawn(valueOf(decodeSpawnConfig(args["config"])), scopeOf(args), clock.context),
  );
  const worker_id = clock.nextId("worker");
  const made = { tenant: TENANT, worker_id, ...init, parent_worker_id: null, parent_stage_id: null, parent: null };
  const summary = summaryIn(await workers.object(worker_id).request({ type: "spawn", ...made }));
  workers.watch(worker_id);
  return wait ? waitFor(system, worker_id) : summary;
};

const carriedOut = async (system: System, object: WorkerObject): Promise<JsonObject> => {
  system.script.open();
  await system.workers.carryOut(object.worker.id);
  return summaryOf(object.worker);
};

const BLOCKED = { blocked: true };

const isBlocked = (value: Json): boolean => isObject(value) && value["blocked"] === true;

/** Waits for a worker: who waits first for a cycle gets its error (spec/workers 8.4). */
const waitFor = async (system: System, reference: Json | undefined): Promise<Json> => {
  const object = workerOf(system, reference);
  const summary = await carriedOut(system, object);
  const { id, status, latest_error: error } = object.worker;
  const isFirst = system.workers.unwatch(id);
  if (isFirst && status === "failed") throw new OperationFailure(error ?? "");
  if (isFirst && status === "cancelled") throw new OperationFailure(error ?? "", "cancelled");
  return status === "running" || status === "awaiting" ? BLOCKED : summary;
};

const wait = async (system: System, args: JsonObject): Promise<Json> => {
  const { worker } = args;
  if (!Array.isArray(worker)) return waitFor(system, worker);
  const summaries: Json[] = [];
  for (const one of worker as readonly Json[]) {
    const waited = await waitFor(system, one);
    if (isBlocked(waited)) return waited;
    summaries.push(waited);
  }
  return summaries;
};

const sendInput = async (system: System, args: JsonObject): Promise<JsonObject> => {
  const object = workerOf(system, args["worker"]);
  const summary = summaryIn(await object.request({ type: "send_input", task: givenText(args["text"]) ?? "" }));
  system.workers.watch(object.worker.id);
  return summary;
};

const trigger = async (system: System, args: JsonObject): Promise<JsonObject> => {
  const object = workerOf(system, args["worker"]);
  const summary = summaryIn(await object.request({ type: "trigger", payload: args["payload"] ?? null }));
  system.workers.watch(object.worker.id);
  return summary;
};

const close = async (system: System, args: JsonObject): Promise<JsonObject> => {
  const object = workerOf(system, args["worker"]);
  system.workers.unwatch(object.worker.id);
  return summaryIn(await object.request({ type: "close" }));
};

const RESTORED = { input: null, continue_transcript: true };

/** Takes over a worker from its snapshot; one that is in memory already is the one of the snapshot from then on (spec/workers 8.3). */
const resume = async (system: System, args: JsonObject): Promise<JsonObject> => {
  const { clock, workers } = system;
  const target = isObject(args["target"]) ? valueOf(workerIdOf(args["target"])) : textArg(args, "target");
  const path = valueOf(snapshotTarget(target));
  const text = workers.snapshots.get(path);
  if (text === undefined) throw new OperationFailure(`worker snapshot read error: there is none at ${path}`);
  const snapshot = valueOf(readSnapshot(text));
  const worker = valueOf(restoredWorker(snapshot, { tenant: TENANT, path }, clock.context));
  workers.forget(worker.id);
  return summaryIn(await workers.object(worker.id).request({ type: "restore", worker, ...RESTORED }));
};

const storeSnapshot = (system: System, args: JsonObject): void => {
  const { text } = args;
  const stored = typeof text === "string" ? text : JSON.stringify(args["snapshot"] ?? null);
  system.workers.snapshots.set(textArg(args, "path"), stored);
};

const loadSnapshot = (system: System, args: JsonObject): Json => {
  const path = textArg(args, "path");
  const text = system.workers.snapshots.get(path);
  if (text === undefined) throw new OperationFailure(`worker snapshot read error: there is none at ${path}`);
  return JSON.parse(text) as Json;
};

/** Workers from their spawn to their end, with the runs that carry out their cycles (spec/workers 2, 8, 12). */
export const workerFlowOperations: Operations = {
  spawn_worker: spawn,
  run_worker: (system, args) => carriedOut(system, workerOf(system, args["worker"])),
  wait_worker: wait,
  get_worker: (system, args) => summaryOf(workerOf(system, args["worker"]).worker),
  list_workers: (system) => system.workers.all.map(({ worker }) => summaryOf(worker)),
  send_input: sendInput,
  trigger_worker: trigger,
  close_worker: close,
  resume_worker: resume,
  store_snapshot: storeSnapshot,
  load_snapshot: loadSnapshot,
  worker_events: (system, args) =>
    workerOf(system, args["worker"]).updates.map(({ event, status }) => ({ event, status })),
  worker_carry: (system, args) => workerOf(system, args["worker"]).worker.carry_policy,
};
