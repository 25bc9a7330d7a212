import type { HandlerOutcome, OutsideCall } from "../../engine/trigger/handler.ts";
import type { JobPriority } from "../../engine/work-queue/job.ts";
import { responseTopic } from "../../engine/work-queue/names.ts";
import { byteLength, type Json, type JsonObject } from "../../lib/json.ts";
import { stableUuid } from "../../lib/stable-uuid.ts";
import { failed, succeeded } from "./outcome.ts";
import type { CallSurroundings } from "./ports.ts";

type WorkerCall = Extract<OutsideCall, { readonly kind: "worker" }>;

/** What a worker outside gets of an event (spec/triggers 16.1). */
export interface TriggerJob {
  readonly queue: string;
  readonly trigger_id: string;
  readonly binding_key: string;
  readonly binding_version: number;
  readonly event_id: string;
  readonly event: JsonObject;
  readonly replay_of_event_id: string | null;
  readonly priority: JobPriority;
}

/** What a job may carry; the bytes as received are the first to go, since the event has their content as well. */
const MAX_JOB_BYTES = 262_144;

const eventOf = ({ event }: WorkerCall): JsonObject => {
  const { raw_body: _bytes, ...rest } = event;
  const isLarge = byteLength(JSON.stringify(event)) > MAX_JOB_BYTES / 2;
  return (isLarge ? rest : event) as unknown as JsonObject;
};

const jobOf = (call: WorkerCall): TriggerJob => ({
  queue: call.queue,
  trigger_id: call.trigger_id,
  binding_key: call.binding_key,
  binding_version: call.binding_version,
  event_id: call.event_id,
  event: eventOf(call),
  replay_of_event_id: call.replay_of_event_id,
  priority: call.priority,
});

/** The id of a dispatch's job: an attempt that repeats another one puts the same job into the queue. */
const jobIdFor = (dispatchId: string): string => `job_${stableUuid(`job:${dispatchId}`)}`;

/** Puts a job into a work queue: the dispatch has succeeded when the queue has it (spec/triggers 11.3). */
export const enqueueJob = async (call: WorkerCall, around: CallSurroundings): Promise<HandlerOutcome> => {
  const { queue, trigger_id, binding_key, priority } = call;
  const job_id = jobIdFor(call.idempotency_key);
  const answer = await around.enqueue(queue, {
    job_id,
    payload: jobOf(call) as unknown as Json,
    priority,
    labels: { tenant: call.event.tenant_id, binding_key, trigger_id },
    max_deliveries: null,
    target: null,
  });
  if (answer.ok) return succeeded({ queue, job_event_id: job_id, response_topic: responseTopic(queue) });
  const { code, detail } = answer.rejection;
  return failed("infrastructure", `worker queue '${queue}' took no job: ${detail}`, code === "unavailable");
};
