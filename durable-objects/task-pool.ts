import { DurableObject } from "cloudflare:workers";
import type { PoolAuditEntry } from "../src/engine/pool/audit.ts";
import type { PoolConfig } from "../src/engine/pool/state.ts";
import type { PendingTask, PoolView, TaskView } from "../src/engine/pool/view.ts";
import type { Answer } from "../src/engine/machine.ts";
import { uuidIds } from "../src/ports/ids.ts";
import {
  type ClaimedTask,
  PoolShell,
  type ReportedOutcome,
  type Submitted,
  type SubmitRequest,
} from "./shell/pool-shell.ts";
import { objectStore } from "./storage/object-store.ts";
import type { Store } from "./storage/store.ts";

/** When an alarm that went wrong is tried again. */
const ALARM_RETRY_MS = 10_000;

/** So many messages go to a queue at a time. */
const MAX_BATCH = 100;

/**
 * One task pool (spec/workers 26): functions that run a few at a time. Nothing runs in here: a task that may run is offered
 * to the queue, whose consumer claims it, carries it out and reports.
 */
export class TaskPool extends DurableObject<Env> {
  protected readonly store: Store;
  readonly #shell: PoolShell;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.store = objectStore(ctx.storage);
    this.#shell = new PoolShell({ store: this.store, context: () => ({ now: Date.now(), nextId: uuidIds }) });
  }

  /** Makes the pool; asking again for the same is the same pool. */
  create(tenant: string, config: PoolConfig): Answer<{ readonly pool: PoolView; readonly is_new: boolean }> {
    return this.#shell.create(tenant, config);
  }

  /** Submits a task; one that has to wait for a place is answered at once, as `blocked`. */
  submit(poolId: string, request: SubmitRequest): Answer<Submitted> {
    return this.#offered(this.#shell.submit(poolId, request));
  }

  /** Hands out a task that was offered; null where it is no longer to be had. */
  claim(taskId: string): Answer<ClaimedTask | null> {
    return this.#shell.claim(taskId);
  }

  /** Keeps a claim. */
  renew(taskId: string, token: string): Answer<null> {
    return this.#shell.renew(taskId, token);
  }

  /** Takes in how a task went. */
  end(taskId: string, token: string, outcome: ReportedOutcome): Answer<TaskView> {
    return this.#offered(this.#shell.end(taskId, token, outcome));
  }

  /** The pool with its newest tasks. */
  show(poolId: string, limit: number): Answer<PoolView> {
    return this.#shell.show(poolId, limit);
  }

  /** Tasks by their ids, in the order in which they were asked for. */
  tasks(poolId: string, ids: readonly string[]): Answer<readonly TaskView[]> {
    return this.#shell.tasks(poolId, ids);
  }

  /** What has happened to the pool and its newest tasks. */
  audit(poolId: string, limit: number): Answer<readonly PoolAuditEntry[]> {
    return this.#shell.audit(poolId, limit);
  }

  /** What the pool has not settled, for whoever finishes a pipeline (spec/workers 21.4). */
  pending(): readonly PendingTask[] {
    return this.#shell.pending();
  }

  /** Removes a pool that has no open tasks; any other takes no more of them from now on. */
  remove(poolId: string): Answer<{ readonly is_removed: boolean; readonly pool: PoolView }> {
    return this.#shell.remove(poolId);
  }

  /** Looks after what an earlier process left behind: its consumers and queues are gone, and what they had is offered again. */
  async recover(): Promise<void> {
    await this.#sweep(true);
  }

  /** Never throws: an alarm that does is dropped for good after six tries. */
  override async alarm(): Promise<void> {
    await this.#sweep(false);
  }

  async #sweep(all: boolean): Promise<void> {
    try {
      this.#shell.sweep(all);
      await this.#send();
    } catch (error) {
      this.#report(error);
      this.store.setAlarm(Date.now() + ALARM_RETRY_MS);
    }
  }

  /** Offers leave after the commit; what fails is left to the alarm. */
  #offered<Reply>(answer: Answer<Reply>): Answer<Reply> {
    this.ctx.waitUntil(this.#send().catch((error: unknown) => this.#report(error)));
    return answer;
  }

  async #send(): Promise<void> {
    const offers = this.#shell.takeOffers();
    for (let at = 0; at < offers.length; at += MAX_BATCH)
      await this.env.TASK_QUEUE.sendBatch(offers.slice(at, at + MAX_BATCH).map((body) => ({ body })));
  }

  #report(error: unknown): void {
    // oxlint-disable-next-line no-console -- the platform's log is where faults of an object are seen
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : "fault in a pool");
  }
}
