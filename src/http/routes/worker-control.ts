import { startCycleAfterRequest } from "../../queue/start-cycle.ts";
import { arrangeListening } from "../../queue/listen.ts";
import type { Rejection } from "../../engine/machine.ts";
import type { WorkerCommand } from "../../engine/worker/command.ts";
import { suspendInitiator } from "../../engine/worker/read-suspension.ts";
import type { ResumeInitiator } from "../../engine/worker/state.ts";
import { givenText, kindName } from "../../lib/display.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import {
  resumeWorkerSchema,
  stoppedWorkerSchema,
  stopWorkerSchema,
  suspendWorkerSchema,
  workerInputSchema,
  type WorkerSummary,
  workerSummarySchema,
  workerTriggerSchema,
} from "../../schema/api-worker.ts";
import type { Call } from "../call.ts";
import { keyOf } from "../idempotency.ts";
import { fromRejection, invalid, type Problem } from "../problem.ts";
import { done, type Outcome, type Router } from "../router.ts";
import { conditionsOf } from "../worker-conditions.ts";
import { workerNotFound, workerObject } from "../worker-object.ts";

const shared = { tag: "Workers", access: "workers", method: "post" } as const;
const reply = { status: 200, description: "The worker", name: "Worker", schema: workerSummarySchema };
const problems = ["worker_not_found", "invalid_transition", "idempotency_key_reused"] as const;

/** The field of a request that a worker itself judges. */
const JUDGED: Readonly<Partial<Record<WorkerCommand["type"], string>>> = {
  send_input: "text",
  trigger: "payload",
  resume: "input",
};

const untold = (workerId: string, type: WorkerCommand["type"], rejection: Rejection): Problem => {
  const { code, detail } = rejection;
  if (code === "worker_not_found") return workerNotFound(workerId);
  const path = JUDGED[type];
  if (code !== "invalid_request" || path === undefined) return fromRejection(rejection);
  return invalid([{ path, message: detail }], detail);
};

/** Tells a worker something and answers with its summary; what that set to work is started at once. */
const tell = async (call: Call, workerId: string, command: WorkerCommand): Promise<Result<JsonObject, Problem>> => {
  const { env, tenant } = call;
  const worker = workerObject(env, tenant, workerId);
  const { answer, ordered } = await worker.take(command, keyOf(call, command.type, command));
  if (!answer.ok) {
    return err(untold(workerId, command.type, answer.rejection));
  }
  if (ordered !== null) call.waitUntil(startCycleAfterRequest(env, { tenant, worker_id: workerId }, ordered));
  return ok(answer.reply.summary);
};

/** A worker with everything in place that is to wake it. */
const listening = async (call: Call, worker_id: string): Promise<WorkerSummary> => {
  const { env, tenant } = call;
  await arrangeListening(env, { tenant, worker_id });
  return (await workerObject(env, tenant, worker_id).summary()) as WorkerSummary;
};

const shown = async (call: Call, workerId: string, command: WorkerCommand): Promise<Outcome<WorkerSummary>> => {
  const summary = await tell(call, workerId, command);
  return summary.ok ? done(summary.value as WorkerSummary) : summary.error;
};

const addInputs = (router: Router): void => {
  router.add(
    {
      ...shared,
      path: "/v1/workers/{worker_id}/input",
      operation: "send_input",
      summary: "Give a worker its next task",
      description: "Not while it runs or is suspended. It begins a new cycle with what its carry policy lets it keep.",
      body: { name: "WorkerInput", schema: workerInputSchema },
      reply,
      problems,
    },
    ({ params, body, call }) => shown(call, params.worker_id, { type: "send_input", task: givenText(body.text) ?? "" }),
  );
  router.add(
    {
      ...shared,
      path: "/v1/workers/{worker_id}/trigger",
      operation: "trigger_worker",
      summary: "Trigger a retriggerable worker that awaits",
      body: { name: "WorkerTrigger", schema: workerTriggerSchema },
      reply,
      problems,
    },
    ({ params, body, call }) => shown(call, params.worker_id, { type: "trigger", payload: body.payload }),
  );
};

const RESUMERS: ReadonlySet<string> = new Set(["parent", "operator", "triggered", "drain_agent", "timeout"]);

const resumeInitiator = (given: string | undefined): ResumeInitiator =>
  given !== undefined && RESUMERS.has(given) ? (given as ResumeInitiator) : "operator";

const addSuspension = (router: Router): void => {
  router.add(
    {
      ...shared,
      path: "/v1/workers/{worker_id}/suspend",
      operation: "suspend_worker",
      summary: "Suspend a running worker",
      description:
        "It stops at the next boundary: what is under way ends, nothing new begins. `suspension.quiesced_at` says when it has. Suspending twice changes nothing.",
      body: { name: "SuspendWorker", schema: suspendWorkerSchema, optional: true },
      reply,
      problems,
    },
    async ({ params, body, call }) => {
      const conditions = conditionsOf(call.env, body.conditions);
      if (!conditions.ok) return conditions.error;
      const initiator = suspendInitiator(body.initiator);
      const { reason } = body;
      const { worker_id } = params;
      const command = { type: "suspend", reason, initiator, conditions: conditions.value } as const;
      const summary = await tell(call, worker_id, command);
      if (!summary.ok) return summary.error;
      return done(conditions.value === null ? (summary.value as WorkerSummary) : await listening(call, worker_id));
    },
  );
  router.add(
    {
      ...shared,
      path: "/v1/workers/{worker_id}/resume",
      operation: "resume_worker",
      summary: "Resume a suspended worker",
      description: "Refused until it has come to rest, and for a worker that somebody else has resumed.",
      body: { name: "ResumeWorker", schema: resumeWorkerSchema, optional: true },
      reply,
      problems,
    },
    ({ params, body, call }) =>
      shown(call, params.worker_id, {
        type: "resume",
        input: body.input ?? null,
        continue_transcript: body.continue_transcript,
        initiator: resumeInitiator(body.initiator),
        trigger_event: null,
      }),
  );
};

interface StopAsked {
  readonly graceful: boolean;
  readonly reason: string;
}

const DEFAULT_REASON = "worker stopped";

const wrong = (key: string, text: string): Result<never, Problem> => err(invalid([{ path: key, message: text }], text));

/** The options of a stop, in the words of the specification where they are wrong (spec/workers 17.8). */
const stopOptions = (body: {
  readonly graceful?: Json | undefined;
  readonly reason?: Json | undefined;
}): Result<StopAsked, Problem> => {
  const { graceful = null, reason = null } = body;
  if (graceful !== null && typeof graceful !== "boolean")
    return wrong("graceful", `agent_stop: options.graceful must be bool, got ${kindName(graceful)}`);
  if (reason !== null && typeof reason !== "string")
    return wrong("reason", `agent_stop: options.reason must be string, got ${kindName(reason)}`);
  return ok({ graceful: graceful === true, reason: reason === null || reason.trim() === "" ? DEFAULT_REASON : reason });
};

const MAX_DEPTH = 16;

const ENDED: ReadonlySet<unknown> = new Set([undefined, "completed", "failed", "cancelled", "stopped"]);

/** Stops the workers below one, the deepest first, and gives what each left (spec/workers 17.8, 5). */
const stopBelow = async (
  call: Call,
  workerId: string,
  { reason, depth }: { readonly reason: string; readonly depth: number },
): Promise<readonly JsonObject[]> => {
  const children = await workerObject(call.env, call.tenant, workerId).children();
  const left: JsonObject[] = [];
  if (depth >= MAX_DEPTH) return left;
  for (const child of children) {
    const { status } = (await workerObject(call.env, call.tenant, child).summary()) ?? {};
    if (ENDED.has(status)) continue;
    const below = await stopBelow(call, child, { reason, depth: depth + 1 });
    const command = { type: "stop", graceful: true, reason, children: below } as const;
    const answer = await workerObject(call.env, call.tenant, child).request(command);
    if (answer.ok && answer.reply.stopped !== undefined) left.push(answer.reply.stopped);
  }
  return left;
};

const addEnds = (router: Router): void => {
  router.add(
    {
      ...shared,
      path: "/v1/workers/{worker_id}/stop",
      operation: "stop_worker",
      summary: "Stop a worker, gracefully or not",
      description:
        "Gracefully it leaves a handoff, and the workers it started are stopped first. Otherwise it is closed.",
      body: { name: "StopWorker", schema: stopWorkerSchema, optional: true },
      reply: { status: 200, description: "What it left", name: "StoppedWorker", schema: stoppedWorkerSchema },
      problems,
    },
    async ({ params, body, call }) => {
      const options = stopOptions(body);
      if (!options.ok) return options.error;
      const { graceful, reason } = options.value;
      if (!graceful) return shown(call, params.worker_id, { type: "close" });
      const children = await stopBelow(call, params.worker_id, { reason, depth: 0 });
      const command = { type: "stop", graceful, reason, children } as const;
      const answer = await workerObject(call.env, call.tenant, params.worker_id).request(command);
      if (!answer.ok)
        return answer.rejection.code === "worker_not_found"
          ? workerNotFound(params.worker_id)
          : fromRejection(answer.rejection);
      return done({ ...answer.reply.stopped, worker: answer.reply.summary });
    },
  );
  router.add(
    {
      ...shared,
      path: "/v1/workers/{worker_id}/close",
      operation: "close_worker",
      summary: "Close a worker",
      description: "Ends what it does. It is `cancelled`, and keeps what it had; an input sets it to work again.",
      reply,
      problems,
    },
    ({ params, call }) => shown(call, params.worker_id, { type: "close" }),
  );
};

/** What is told to workers: inputs, triggers, suspensions, ends (spec/workers 8.3, 17). */
export const addWorkerControlRoutes = (router: Router): void => {
  addInputs(router);
  addSuspension(router);
  addEnds(router);
};
