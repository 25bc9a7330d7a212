import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { Job } from "../work-queue/job.ts";
import { isClaimed } from "../work-queue/machine.ts";
import type { WaitingJob } from "./queued.ts";

const NOTHING: JsonObject = {};

const textOrNull = (value: Json | undefined): string | null =>
  typeof value === "string" && value !== "" ? value : null;

/** A job as what waits in its queue: the event it carries, or the command of a stage (spec/workers 22.3). */
export const waitingJob = (
  queue: string,
  { job, payload }: { readonly job: Job; readonly payload: Json },
  now: Timestamp,
): WaitingJob => {
  const about = isObject(payload) ? payload : NOTHING;
  const event = isObject(about["event"]) ? about["event"] : about;
  return {
    queue,
    job_event_id: job.job_id,
    event_id: textOrNull(about["event_id"]) ?? textOrNull(event["id"]) ?? job.job_id,
    trigger_id: job.labels.trigger_id,
    binding_key: job.labels.binding_key,
    provider: textOrNull(event["provider"]),
    kind: job.target === null ? textOrNull(event["kind"]) : "command",
    queued_at_ms: job.enqueued_at_ms,
    claimed: isClaimed(job, now),
  };
};
