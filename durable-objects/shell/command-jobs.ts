import { commandFailure } from "../../src/engine/verification/command-job.ts";
import type { JobReply, JobRequest } from "../../src/engine/work-queue/job.ts";
import type { RunRequest } from "../workflow-run.ts";
import type { Answer } from "../../src/engine/machine.ts";

/** What a run needs of a queue. */
interface JobTaker {
  readonly enqueue: (request: JobRequest) => Promise<Answer<JobReply>>;
}

/**
 * Puts the job of a stage into a queue of the run's tenant. Its id is the stage's, so that doing it again is the same
 * job; throws when the queue is full, to be tried again. A job that the queue will never take fails its stage.
 */
export const enqueueJob = async (
  env: Pick<Env, "WORK_QUEUE">,
  tenant: string,
  { queue, job }: { readonly queue: string; readonly job: JobRequest },
  tell: (request: RunRequest) => unknown,
): Promise<void> => {
  const taker = env.WORK_QUEUE.getByName(`${tenant}/${queue}`) as unknown as JobTaker;
  const answer = await taker.enqueue(job);
  if (answer.ok) return;
  const text = `queue ${queue} did not take the job ${job.job_id}: ${answer.rejection.detail}`;
  if (answer.rejection.code === "unavailable" || job.target === null) throw new Error(text);
  const { node_id, attempt_token } = job.target;
  tell({ type: "complete_stage", node_id, attempt_token, result: commandFailure(text) });
};
