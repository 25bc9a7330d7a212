import type { QueueView } from "../../durable-objects/shell/queue-shell.ts";
import type { QueuePage } from "../../durable-objects/work-queue.ts";
import type { Job } from "../engine/work-queue/job.ts";
import { isClaimed, isReady } from "../engine/work-queue/machine.ts";
import { rfc3339 } from "../lib/time.ts";
import type { JobView } from "../schema/api-queue.ts";

const statusOf = (job: Job, now: number): JobView["status"] => {
  if (job.status !== "open") return job.status;
  if (isClaimed(job, now)) return "claimed";
  return isReady(job, now, Infinity) ? "ready" : "waiting";
};

/** A job as the API shows it: without the id of its claim and the token of its stage. */
export const jobView = (job: Job, now = Date.now()): JobView => ({
  job_id: job.job_id,
  status: statusOf(job, now),
  priority: job.priority,
  ...job.labels,
  run_id: job.target?.run_id ?? null,
  stage_id: job.target?.stage_id ?? null,
  enqueued_at: rfc3339(job.enqueued_at_ms),
  not_before: rfc3339(job.not_before_ms),
  deliveries: job.deliveries,
  max_deliveries: job.max_deliveries,
  claim:
    job.claim === null || !isClaimed(job, now)
      ? null
      : {
          consumer_id: job.claim.consumer_id,
          claimed_at: rfc3339(job.claim.claimed_at_ms),
          expires_at: rfc3339(job.claim.expires_at_ms),
        },
  settled_at: job.settled_at_ms === null ? null : rfc3339(job.settled_at_ms),
  result: job.result,
  error: job.error,
});

/** A queue as the API shows it. */
export const queueView = (queue: string, { summary, scheduler, policy }: QueueView, jobs: QueuePage["jobs"] = []) => ({
  queue,
  ...summary,
  policy,
  scheduler,
  jobs: jobs.map((job) => jobView(job)),
});
