import type { Answer } from "../src/engine/machine.ts";
import { type Awakening, awakeningCommand, type AwakeningEvent, awakeningOf } from "../src/engine/worker/awakening.ts";
import type { WorkerCommand, WorkerEffect, WorkerReply } from "../src/engine/worker/command.ts";
import { cycleEnd, type CycleFacts } from "../src/engine/worker/cycle-result.ts";
import { type OrderedCycle, orderedCycle } from "../src/engine/worker/cycle-run.ts";
import type { WorkerEvent } from "../src/engine/worker/event.ts";
import { owedListeners } from "../src/engine/worker/listeners.ts";
import { workerMachine } from "../src/engine/worker/machine.ts";
import { nextWorkerWake } from "../src/engine/worker/resume.ts";
import { snapshotOf } from "../src/engine/worker/snapshot.ts";
import type { WorkerListener, WorkerState } from "../src/engine/worker/state.ts";
import { summaryOf } from "../src/engine/worker/summary.ts";
import { unsettledSubagent, workerHead } from "../src/engine/worker/view.ts";
import type { Json, JsonObject } from "../src/lib/json.ts";
import { RUN } from "./migrations/journaled.ts";
import type { WorkerSpan } from "../src/engine/worker/spans.ts";
import { spansOf } from "./projections/worker-spans.ts";
import { newestUpdates, pageOfUpdates, UpdateLog, type UpdatePage } from "./projections/worker-updates.ts";
import type { IdempotencyKey } from "./shell/idempotency.ts";
import { broadcast, openLiveSocket } from "./shell/live-sockets.ts";
import type { Commit } from "./shell/machine-shell.ts";
import { MachineObject, type ObjectParts } from "./shell/machine-object.ts";
import { ParentNews } from "./shell/parent-news.ts";
import { type TakenWebhook, WebhookWatch } from "./shell/webhook-watch.ts";
import { type WebhookDelivery, webhookDeliveries } from "./projections/webhook-deliveries.ts";
import { isDerivedOfWorker, performWorkerEffect } from "./shell/worker-effects.ts";
import { workerPorts } from "./shell/worker-ports.ts";

/** What the world must know of a worker: its row, and what a run hears of its workers. */
const derivedEffects = (state: WorkerState): readonly WorkerEffect[] => {
  if (state === null) return [];
  return state.parent === null ? [{ type: "index_worker" }] : [{ type: "index_worker" }, { type: "tell_parent" }];
};

/** The answer to a command, and the cycle that its caller is to start; null for none. */
export interface TakenCycle {
  readonly answer: Answer<WorkerReply>;
  readonly ordered: OrderedCycle | null;
}

/** One delegated worker (architecture 2): its status, cycle, suspension and what it carries; its runs do the work. */
export class AgentWorker extends MachineObject<WorkerState, WorkerCommand, WorkerEvent, WorkerEffect, WorkerReply> {
  readonly #log = new UpdateLog();
  readonly #news = new ParentNews();
  readonly #webhook = new WebhookWatch();
  /** Whether whoever gives the present command starts the cycle that comes of it. */
  #isTaken = false;

  protected parts(): ObjectParts<WorkerState, WorkerCommand, WorkerEvent, WorkerEffect, WorkerReply> {
    return {
      machine: workerMachine,
      migrations: RUN,
      reducerVersion: 1,
      headOf: workerHead,
      wakeAt: (state, now) => {
        const times = [nextWorkerWake(state, now), this.#webhook.wakeAt(state, now)].filter((time) => time !== null);
        return times.length === 0 ? null : Math.min(...times);
      },
      perform: (effect) => this.#perform(effect),
      isDerived: isDerivedOfWorker,
      derive: derivedEffects,
      onAlarm: (state) => (state === null ? null : { type: "wake" }),
    };
  }

  #perform(effect: WorkerEffect): Promise<void> {
    if (effect.type === "start_cycle" && this.#isTaken) return Promise.resolve();
    const { shell } = this;
    const ports = workerPorts(this.env, shell.state?.tenant ?? "");
    return performWorkerEffect(ports, { shell, news: this.#news, tell: (told) => this.request(told) }, effect);
  }

  /** Executes a command of the API, of a run or of a trigger; see `workerMachine` for what each does. */
  request(command: WorkerCommand, key?: IdempotencyKey): Answer<WorkerReply> {
    return this.execute(command, key);
  }

  /** The same for a caller who starts the cycle that comes of it: the alarm orders another one where he is lost. */
  take(command: WorkerCommand, key?: IdempotencyKey): TakenCycle {
    this.#isTaken = true;
    try {
      const answer = this.request(command, key);
      return { answer, ordered: answer.ok ? this.orderedCycle() : null };
    } finally {
      this.#isTaken = false;
    }
  }

  /** The run that is to be started for the current cycle; null where there is none. */
  orderedCycle(): OrderedCycle | null {
    return orderedCycle(this.shell.state);
  }

  /** The run of a cycle has ended: what it came to settles the cycle. */
  cycleEnded(cycle: number, facts: CycleFacts): Answer<WorkerReply> {
    return this.request(cycleEnd(this.shell.state, cycle, facts));
  }

  /** The event of a trigger that waits for this worker: the first one resumes it, and says so again when it is repeated. */
  awaken(event: AwakeningEvent, key: IdempotencyKey): Awakening {
    return awakeningOf(this.request(awakeningCommand(event), key), this.shell.state, event);
  }

  /** What is to be set up to wake it, or taken away. */
  owedListeners(): readonly WorkerListener[] {
    const { state } = this.shell;
    return state === null ? [] : owedListeners(state);
  }

  /** The public summary (spec/workers 1.5); null for a worker that does not exist. */
  summary(): JsonObject | null {
    const { state } = this.shell;
    return state === null ? null : summaryOf(state);
  }

  /** The snapshot (spec/workers 12.2); null for a worker that does not exist. */
  snapshot(): JsonObject | null {
    const { state } = this.shell;
    return state === null ? null : snapshotOf(state);
  }

  /** The spans of its suspensions and resumptions (spec/workers 19); null for a worker that does not exist. */
  spans(): readonly WorkerSpan[] | null {
    return this.shell.state === null ? null : spansOf(this.shell);
  }

  /** Workers that it started, by id. */
  children(): readonly string[] {
    return this.shell.state?.children ?? [];
  }

  /** Its public events after a position, oldest first (spec/workers 13). */
  updates(after: number, limit: number): UpdatePage | null {
    return this.shell.state === null ? null : pageOfUpdates(this.shell, after, limit);
  }

  /** A WebSocket that gets every public event after `?after=`; it survives hibernation. */
  override fetch(request: Request): Response {
    return openLiveSocket(this.ctx, request, (after, limit) => this.updates(Number(after ?? 0), limit)?.items ?? null);
  }

  override webSocketMessage(): void {}

  override webSocketClose(socket: WebSocket): void {
    socket.close();
  }

  protected override committed(commit: Commit<WorkerEvent, WorkerEffect>): void {
    broadcast(this.ctx, () => newestUpdates(this.#log, this.shell, commit.entry));
    this.#hintWebhook();
  }

  override alarm(): Promise<void> {
    this.#hintWebhook();
    return super.alarm();
  }

  /** Asks for a sender of what the webhook is owed; the alarm asks again. */
  #hintWebhook(): void {
    const { state } = this.shell;
    if (state === null || !this.#webhook.mayHint(state, Date.now())) return;
    const hint = { v: 1, tenant: state.tenant, worker_id: state.id, webhook: true };
    this.ctx.waitUntil(this.env.DRIVE_QUEUE.send(hint).catch((error: unknown) => this.report(error)));
  }

  /** Events for one sender, who reports what became of them; null where there is nothing to send now. */
  takeWebhook(): TakenWebhook | null {
    return this.#webhook.take(this.shell, Date.now());
  }

  /** What became of the events that were taken. */
  reportWebhook(report: WorkerCommand): Answer<WorkerReply> {
    this.#webhook.release();
    return this.request(report);
  }

  /** What became of sending the newest public events; null for a worker that does not exist. */
  webhookDeliveries(): readonly WebhookDelivery[] | null {
    return this.shell.state === null ? null : webhookDeliveries(this.shell, 200);
  }

  /** The worker as something unsettled; null where it is not (spec/workers 21.4). */
  unsettled(): Json {
    return unsettledSubagent(this.shell.state, Date.now());
  }

  /** Looks after what an earlier process left behind. */
  recover(): void {
    this.ctx.waitUntil(this.alarm());
  }
}
