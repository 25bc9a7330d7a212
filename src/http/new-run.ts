import { driveAfterRequest } from "../driver/start.ts";
import type { Rejection } from "../engine/machine.ts";
import { type Fork, type ForkRequest, forkRun } from "../engine/replay/fork.ts";
import type { ForkSource } from "../engine/replay/fork-source.ts";
import type { CreateRun, RunControl, RunOptions } from "../engine/run/command.ts";
import type { JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { uuidIds } from "../ports/ids.ts";
import { contractPaths } from "../engine/verification/contract-paths.ts";
import { decodeRunOptions } from "../schema/run.ts";
import { assetsFor } from "./asset-rows.ts";
import type { Call } from "./call.ts";
import { idFor, keyOf } from "./idempotency.ts";
import { fromRejection, problem, type Problem } from "./problem.ts";
import { done } from "./router.ts";
import { replyOf, runNotFound, runObject } from "./run-object.ts";

/** The options of a run made from another one, as engine functions take their decoder. */
export const decodeOptions = (raw: JsonObject): Result<RunOptions, Rejection> => {
  const options = decodeRunOptions(raw);
  if (options.ok) return options;
  const issues = options.error.issues.map(({ path, message }) => ({ path: `edits.options.${path}`, message }));
  return err({ code: "invalid_request", detail: options.error.message, details: { issues } });
};

/** The id of a run to be made; with an idempotency key the same for every repetition. */
export const newRunId = (call: Call, operation: string): string => idFor(call, operation) ?? uuidIds("");

/** The command with the assets that another version of the workflow names; those the source has stay as they were. */
const withAssets = async (call: Call, command: CreateRun): Promise<CreateRun> => {
  const known = command.assets ?? {};
  if (contractPaths(command.graph).every((name) => Object.hasOwn(known, name))) return command;
  const found = await assetsFor(call.env.DB, call.tenant, command.graph);
  return { ...command, assets: { ...found, ...known } };
};

/** Creates a run that is made from another one and starts to drive it. */
export const createFrom = async (
  call: Call,
  command: CreateRun,
  asked: { readonly operation: string; readonly request: unknown },
): Promise<Result<RunControl, Problem>> => {
  const { tenant } = call;
  const { run_id, drive } = command;
  const object = runObject(call.env, tenant, run_id);
  const given = await withAssets(call, command);
  const answer = replyOf(await object.request(given, keyOf(call, asked.operation, asked.request)), "created");
  if (!answer.ok) return err(answer.problem);
  const { control, advance } = answer.reply;
  if (drive === "auto")
    call.waitUntil(driveAfterRequest(call.env, { tenant, run_id, ...(advance === null ? {} : { first: advance }) }));
  return ok(control);
};

/** A run as it stood at a checkpoint. */
export const sourceAt = async (
  call: Call,
  runId: string,
  checkpointId: string,
): Promise<Result<ForkSource, Problem>> => {
  const source = await runObject(call.env, call.tenant, runId).forkSource(checkpointId);
  if (source === "run_not_found") return err(runNotFound(runId));
  if (source === "checkpoint_not_found")
    return err(
      problem(
        source,
        `run ${runId} took no checkpoint ${checkpointId}; GET /v1/runs/${runId}/checkpoints lists them, and a fork's older ones belong to the run it was made from`,
      ),
    );
  if (source === "too_large")
    return err(
      problem(
        "payload_too_large",
        `run ${runId} is too long at this checkpoint to be continued elsewhere: choose an earlier one`,
      ),
    );
  return ok(source);
};

/** The command and the effect plan of a fork. */
export const planFork = (source: ForkSource, request: ForkRequest): Result<Fork, Problem> => {
  const fork = forkRun(source, request, { now: Date.now(), nextId: uuidIds });
  return fork.ok ? fork : err(fromRejection(fork.error));
};

const RESUME = "resume_from_checkpoint";

/** Goes on from a checkpoint as a new run, its steps counted anew (spec/workflow 4.10). */
export const resumeFromCheckpoint = async (
  call: Call,
  runId: string,
  asked: { readonly checkpoint_id: string; readonly max_steps: number | undefined },
) => {
  const source = await sourceAt(call, runId, asked.checkpoint_id);
  if (!source.ok) return source.error;
  if (source.value.status === "running")
    return problem("invalid_transition", `run ${runId} is running: pause it first, or fork it`);
  const fork = planFork(source.value, {
    tenant: call.tenant,
    run_id: newRunId(call, RESUME),
    edits: asked.max_steps === undefined ? {} : { options: { max_steps: asked.max_steps } },
    as: "resumed_from",
    decodeOptions,
  });
  if (!fork.ok) return fork.error;
  const request = { run_id: runId, ...asked, max_steps: asked.max_steps ?? null };
  const control = await createFrom(call, fork.value.command, { operation: RESUME, request });
  return control.ok ? done(control.value, 201) : control.error;
};
