import { DurableObject } from "cloudflare:workers";
import type { FinishJob, Job, JobReply, JobRequest, JobStatus } from "../src/engine/work-queue/job.ts";
import { policyFromEnv, type QueuePolicy } from "../src/engine/work-queue/policy.ts";
import { uuidIds } from "../src/ports/ids.ts";
import { drainOutbox } from "./shell/drain.ts";
import type { Answer } from "../src/engine/machine.ts";
import { type ClaimedJob, QueueShell, type QueueView, type WorkerCommand } from "./shell/queue-shell.ts";
import { objectStore } from "./storage/object-store.ts";
import type { Store } from "./storage/store.ts";
import type { RunRequest } from "./workflow-run.ts";

/** A queue with its newest jobs. */
export interface QueuePage extends QueueView {
  readonly jobs: readonly Job[];
}

/** What a queue needs of a run. */
interface StageTaker {
  readonly request: (request: RunRequest) => Promise<Answer<unknown>>;
}

/** When an alarm that went wrong is tried again. */
const ALARM_RETRY_MS = 10_000;

/**
 * One work queue of a tenant (architecture 2): jobs that workers outside claim, work on and settle. Nothing waits in
 * here: a worker that wants to wait asks again.
 */
export class WorkQueue extends DurableObject<Env> {
  protected readonly store: Store;
  readonly #shell: QueueShell;
  #draining: Promise<void> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.store = objectStore(ctx.storage);
    this.#shell = new QueueShell({
      store: this.store,
      context: () => ({ now: Date.now(), nextId: uuidIds }),
      policy: policyFromEnv(env as unknown as Readonly<Record<string, unknown>>),
      objectId: ctx.id.toString(),
    });
  }

  /** Puts a job into the queue; the same id with the same request is the same job. */
  enqueue(request: JobRequest): Answer<JobReply> {
    return this.#shell.enqueue(request);
  }

  /** Hands out the job that comes next, or nothing. */
  claim(request: Parameters<QueueShell["claim"]>[0]): Answer<ClaimedJob | null> {
    return this.#shell.claim(request);
  }

  /** Renews or gives back a claim, or settles a job. */
  tell(jobId: string, command: WorkerCommand): Answer<JobReply> {
    const answer = this.#shell.tell(jobId, command);
    this.#afterCommit();
    return answer;
  }

  /** Takes every ready job out of the queue. */
  purge(by: string, reason: string | null): Answer<{ readonly purged: number }> {
    const answer = this.#shell.purge(by, reason);
    this.#afterCommit();
    return answer;
  }

  /** Sets how jobs are chosen and how often they are handed out. */
  configure(policy: QueuePolicy): QueueView {
    this.#shell.setPolicy(policy);
    return this.#shell.view();
  }

  /** The queue with its newest jobs of a status, or of every status. */
  show(status: JobStatus | null, limit: number): QueuePage {
    return { ...this.#shell.view(), jobs: this.#shell.jobs(status, limit) };
  }

  /** One job with its payload; null when there is none. */
  job(jobId: string): ClaimedJob | null {
    return this.#shell.job(jobId);
  }

  /** Looks after what an earlier process left behind. */
  recover(): Promise<void> {
    return this.alarm();
  }

  /** Never throws: an alarm that does is dropped for good after six tries. */
  override async alarm(): Promise<void> {
    try {
      this.#shell.sweep();
      await this.#drain();
    } catch (error) {
      this.#report(error);
      this.store.setAlarm(Date.now() + ALARM_RETRY_MS);
    }
  }

  /** The runs that wait for a job learn of its end at once; what fails is left to the alarm. */
  #afterCommit(): void {
    if (this.#shell.owesEffects) this.ctx.waitUntil(this.#drain());
  }

  #drain(): Promise<void> {
    this.#draining ??= this.#drainOnce().finally(() => {
      this.#draining = null;
    });
    return this.#draining;
  }

  async #drainOnce(): Promise<void> {
    await drainOutbox<FinishJob>(
      this.store,
      (effect) => this.#perform(effect),
      () => Date.now(),
      (error) => this.#report(error),
    );
    this.#shell.rearm();
  }

  /**
   * Completes the stage of a run. The attempt's token makes it happen once: a repetition gets the first answer, and a run
   * that is over or has gone on refuses, which settles the effect as well.
   */
  async #perform({ target, result }: FinishJob): Promise<void> {
    const { tenant, run_id, node_id, attempt_token } = target;
    const run = this.env.WORKFLOW_RUN.getByName(`${tenant}/${run_id}`) as unknown as StageTaker;
    const answer = await run.request({ type: "complete_stage", node_id, attempt_token, result });
    if (!answer.ok)
      this.#report(new Error(`run ${run_id} took no result for ${target.stage_id}: ${answer.rejection.code}`));
  }

  #report(error: unknown): void {
    // oxlint-disable-next-line no-console -- the platform's log is where faults of an object are seen
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : "fault in a queue");
  }
}
