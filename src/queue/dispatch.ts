import * as z from "zod";
import type { EventAnswer } from "../../durable-objects/trigger.ts";
import { dispatchEvent, type DispatchPorts } from "../driver/dispatch.ts";
import { askModel, performOutside } from "../driver/outside.ts";
import type { Bindings } from "../http/call.ts";
import { CircuitMemory, circuitName, circuitObject } from "../http/circuit-object.ts";
import { queueObject } from "../http/queue-object.ts";
import { runObject } from "../http/run-object.ts";
import { triggerObject } from "../http/trigger-object.ts";
import type { Consumer } from "./consumer.ts";
import { countedPorts, DispatchCounts } from "./dispatch-metrics.ts";
import { indexEvent } from "./index-events.ts";
import { MetricBuffer } from "./metric-buffer.ts";
import { report, textOf } from "./report.ts";
import { resumeWorker } from "./resume-worker.ts";
import { startRun } from "./start-run.ts";

const dispatchMessage = z.object({
  v: z.literal(1),
  tenant: z.string().min(1),
  trigger_id: z.string().min(1),
  event_id: z.string().min(1),
  dedupe_key: z.string().min(1),
  shard: z.int().nonnegative().optional(),
});

/** What a dispatch message asks for. */
export type DispatchRequest = z.output<typeof dispatchMessage>;

type Context = Pick<ExecutionContext, "waitUntil">;

/** How often a handler at work asks whether its event was cancelled. */
const CANCEL_POLL_MS = 2_000;

const now = (): number => Date.now();

// Of this isolate: a healthy destination costs no call for each attempt.
const memory = new CircuitMemory(now);

/** The object that holds the event. */
const holder = (env: Bindings, { tenant, trigger_id: triggerId, shard }: DispatchRequest) =>
  triggerObject(env, tenant, triggerId, shard ?? null);

/** Performs a call, and stops it when somebody cancels its event meanwhile. */
const performed = async (env: Bindings, request: DispatchRequest, call: Parameters<DispatchPorts["perform"]>[0]) => {
  const { tenant, dedupe_key: key } = request;
  const controller = new AbortController();
  const look = async (): Promise<void> => {
    if (await holder(env, request).isCancelled(key)) controller.abort("trigger cancel request");
  };
  const poll = setInterval(() => {
    look().catch(() => undefined);
  }, CANCEL_POLL_MS);
  try {
    return await performOutside(env, call, {
      enqueue: (queue, job) => queueObject(env, tenant, queue).enqueue(job),
      signal: controller.signal,
    });
  } finally {
    clearInterval(poll);
  }
};

/** What dispatching an event needs, on the platform. */
const portsOf = (env: Bindings, ctx: Context, request: DispatchRequest, buffer: MetricBuffer): DispatchPorts => {
  const { tenant, trigger_id: triggerId } = request;
  return {
    now,
    trigger: () => holder(env, request),
    coordinate: (ticket, record, judgement) =>
      triggerObject(env, tenant, triggerId).coordinate(ticket, record, judgement),
    circuit: (destination) => {
      const circuit = circuitObject(env, tenant, destination);
      const name = circuitName(tenant, destination);
      return {
        allow: (ask) => memory.allow(circuit, name, ask),
        report: (outcome) => memory.report(circuit, name, outcome),
      };
    },
    startRun: (call) => startRun(env, ctx, { tenant, call, key: request.dedupe_key, shard: request.shard }),
    resumeWorker: (call) => resumeWorker(env, tenant, call),
    perform: (call) => performed(env, request, call),
    askModel: (question) => askModel(env, question),
    cancelRun: async (runId) => {
      await runObject(env, tenant, runId).request({ type: "cancel_run", reason: "the event was cancelled" });
    },
    changed: (answer) => told(env, ctx, { tenant, answer, buffer }),
  };
};

const told = (
  env: Bindings,
  ctx: Context,
  { tenant, answer, buffer }: { readonly tenant: string; readonly answer: EventAnswer; readonly buffer: MetricBuffer },
): void => {
  // A replay has no row of its own in the lists: its original's says how it went.
  if (answer.row.replay_of !== null) return;
  const { dead_letter } = answer;
  ctx.waitUntil(indexEvent(env, tenant, answer, { metrics: buffer.take(tenant), dead_letter }));
};

/** Dispatches one event; throws only when its trigger cannot be reached. */
export const dispatchOne = async (env: Bindings, ctx: Context, request: DispatchRequest): Promise<void> => {
  const buffer = new MetricBuffer(env);
  const counts = new DispatchCounts(buffer.for(request.tenant), request.tenant, now);
  const ports = countedPorts(portsOf(env, ctx, request, buffer), counts);
  const answer = await dispatchEvent(ports, request.dedupe_key);
  if (!answer.ok) report("an event could not be dispatched", { ...request, code: answer.rejection.code });
  ctx.waitUntil(buffer.flush());
};

/** Dispatches the events a batch names. A message is acknowledged when its outcome is recorded. */
export const dispatchEvents: Consumer = async (batch, env, ctx) => {
  await Promise.all(
    batch.messages.map(async (message) => {
      const decoded = dispatchMessage.safeParse(message.body);
      if (!decoded.success) {
        report("not a dispatch message", { message_id: message.id });
        message.ack();
        return;
      }
      try {
        await dispatchOne(env, ctx, decoded.data);
        message.ack();
      } catch (error) {
        report("a trigger could not be reached", { ...decoded.data, error: textOf(error) });
        message.retry();
      }
    }),
  );
};
