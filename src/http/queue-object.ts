import type { Answer } from "../engine/machine.ts";
import type { ClaimedJob, QueueView, WorkerCommand } from "../../durable-objects/shell/queue-shell.ts";
import type { QueuePage } from "../../durable-objects/work-queue.ts";
import type { JobReply, JobRequest, JobStatus } from "../engine/work-queue/job.ts";
import type { QueuePolicy } from "../engine/work-queue/policy.ts";
import type { Bindings } from "./call.ts";

/** What the API needs of a queue's object. */
export interface QueueObject {
  readonly enqueue: (request: JobRequest) => Promise<Answer<JobReply>>;
  readonly claim: (request: {
    readonly consumer_id: string;
    readonly ttl_ms: number;
    readonly claim_id?: string;
  }) => Promise<Answer<ClaimedJob | null>>;
  readonly tell: (jobId: string, command: WorkerCommand) => Promise<Answer<JobReply>>;
  readonly purge: (by: string, reason: string | null) => Promise<Answer<{ readonly purged: number }>>;
  readonly configure: (policy: QueuePolicy) => Promise<QueueView>;
  readonly show: (status: JobStatus | null, limit: number) => Promise<QueuePage>;
  readonly job: (jobId: string) => Promise<ClaimedJob | null>;
}

/** A stub of a queue; ask again after every fault, a stub of a reset object stays broken. */
export const queueObject = (env: Pick<Bindings, "WORK_QUEUE">, tenant: string, queue: string): QueueObject =>
  env.WORK_QUEUE.getByName(`${tenant}/${queue}`) as unknown as QueueObject;
