import { type Context, fold, reject } from "../../src/engine/machine.ts";
import type {
  FinishJob,
  Job,
  JobCommand,
  JobReply,
  JobRequest,
  JobState,
  JobStatus,
} from "../../src/engine/work-queue/job.ts";
import { deathOf, jobMachine } from "../../src/engine/work-queue/machine.ts";
import type { QueuePolicy } from "../../src/engine/work-queue/policy.ts";
import { NEW_SCHEDULER, pickJob, type SchedulerState } from "../../src/engine/work-queue/scheduler.ts";
import {
  inFlightByKey,
  type OpenJobs,
  type QueueSummary,
  readyJobs,
  type SchedulerSnapshot,
  snapshot,
  summarize,
} from "../../src/engine/work-queue/view.ts";
import { digestOf } from "../../src/lib/digest.ts";
import { byteLength, type Json } from "../../src/lib/json.ts";
import { isMigrated, migrate } from "../migrations/migration.ts";
import { WORK_QUEUE } from "../migrations/work-queue.ts";
import type { Store } from "../storage/store.ts";
import {
  forgetSettled,
  insertJob,
  lastSeq,
  loadJob,
  loadPayload,
  loadPolicy,
  newestJobs,
  openJobs,
  settledCounts,
  storePolicy,
  updateJob,
} from "./job-rows.ts";
import type { Answer } from "../../src/engine/machine.ts";
import { enqueueEffect, nextEffectAt } from "./outbox.ts";

/** What a queue needs around it. */
export interface QueueHosting {
  readonly store: Store;
  readonly context: () => Context;
  /** The policy of a queue that was given none of its own. */
  readonly policy: QueuePolicy;
  /** A name that makes effect ids unique beyond this object (I4). */
  readonly objectId: string;
}

/** A job that was handed out. */
export interface ClaimedJob {
  readonly job: Job;
  readonly payload: Json;
}

/** A queue as an operator sees it. */
export interface QueueView {
  readonly summary: QueueSummary;
  readonly scheduler: SchedulerSnapshot;
  readonly policy: QueuePolicy;
}

type Unbounded<C> = C extends unknown ? Omit<C, "max_deliveries"> : never;

/** What a worker may say about a job that it claimed; how often jobs are handed out the queue knows. */
export type WorkerCommand = Unbounded<Extract<JobCommand, { type: "renew" | "release" | "respond" | "ack" | "fail" }>>;

/** What a job may carry: its payload, and each answer of a worker. */
const MAX_JSON_BYTES = 262_144;

/** Open jobs are held in memory: more would not fit there. */
const MAX_OPEN = 50_000;

/** When the alarm looks after an outbox that is also drained right after its commit. */
const OUTBOX_WATCH_MS = 10_000;

/**
 * The jobs of one queue on one store: each command is one transaction (I3), and each change of a job writes its row.
 *
 * Open jobs are held in memory, settled ones are read when they are asked for. What fairness remembers is only in memory.
 */
export class QueueShell {
  readonly #hosting: QueueHosting;
  #open: Map<string, Job> | null = null;
  #seq = 0;
  #policy: QueuePolicy;
  #scheduler: SchedulerState = NEW_SCHEDULER;
  #armedAt: number | null = null;

  constructor(hosting: QueueHosting) {
    this.#hosting = hosting;
    this.#policy = hosting.policy;
  }

  /** Whether runs are still to be told of the end of their jobs. */
  get owesEffects(): boolean {
    return this.#isKept() && nextEffectAt(this.#hosting.store) !== null;
  }

  /** Puts a job into the queue; the same id with the same request is the same job. */
  enqueue({ payload, ...request }: JobRequest): Answer<JobReply> {
    const text = JSON.stringify(payload);
    const open = this.#load();
    if (byteLength(text) > MAX_JSON_BYTES) return tooLarge("payload");
    const known = this.#find(request.job_id);
    if (known.status === "absent" && open.size >= MAX_OPEN)
      return reject("unavailable", `the queue has ${MAX_OPEN} open jobs: let workers settle some first`);
    const request_digest = digestOf([payload, request as unknown as Json]);
    return this.#tell(known, { type: "enqueue", seq: this.#seq + 1, request_digest, ...request }, text);
  }

  /** Hands out the job that comes next; null when none is ready. */
  claim(request: {
    readonly consumer_id: string;
    readonly ttl_ms: number;
    readonly claim_id?: string;
  }): Answer<ClaimedJob | null> {
    const open = this.#view();
    const command = { type: "claim", max_deliveries: this.#policy.max_deliveries, ...request } as const;
    const mine = [...open.jobs].find((job) => job.claim?.claim_id === (request.claim_id ?? null));
    const choice = { ready: readyJobs(open), in_flight: inFlightByKey(open), now: open.now };
    const picked = mine === undefined ? pickJob(this.#policy, this.#scheduler, choice) : null;
    // What is remembered of a claim that is not committed costs a key some of its share, and no job anything.
    if (picked !== null) this.#scheduler = picked.state;
    const jobId = mine?.job_id ?? picked?.job?.job_id;
    if (jobId === undefined) return { ok: true, reply: null };
    const answer = this.#tell(this.#find(jobId), command);
    if (!answer.ok) return answer;
    return { ok: true, reply: { job: answer.reply.job, payload: loadPayload(this.#hosting.store, jobId) } };
  }

  /** Tells a job of its worker; see `jobMachine` for what each command does. */
  tell(jobId: string, command: WorkerCommand): Answer<JobReply> {
    const said = "result" in command ? command.result : "outcome" in command ? command.outcome : null;
    if (said !== null && byteLength(JSON.stringify(said)) > MAX_JSON_BYTES) return tooLarge("answer");
    const { max_deliveries } = this.#policy;
    return this.#tell(this.#find(jobId), command.type === "fail" ? { ...command, max_deliveries } : command);
  }

  /** Takes every ready job out of the queue; claimed ones are left alone (spec/triggers 16.3). */
  purge(by: string, reason: string | null): Answer<{ readonly purged: number }> {
    const ready = readyJobs(this.#view());
    const command = { type: "purge", by, reason, max_deliveries: this.#policy.max_deliveries } as const;
    for (const job of ready) this.#tell(job, command);
    return { ok: true, reply: { purged: ready.length } };
  }

  /** Makes dead letters of jobs whose last delivery came to nothing, and arms the alarm for the next one. */
  sweep(): void {
    const { jobs, now } = this.#view();
    const command = { type: "bury", max_deliveries: this.#policy.max_deliveries } as const;
    const due = [...jobs].filter((job) => (deathOf(job, command.max_deliveries) ?? Infinity) <= now);
    for (const job of due) this.#tell(job, command);
    this.#armedAt = null;
    this.rearm();
  }

  /** Sets how jobs are chosen and how often they are handed out. */
  setPolicy(policy: QueuePolicy): void {
    this.#load();
    this.#transaction(() => storePolicy(this.#hosting.store, policy));
    this.#policy = policy;
    this.rearm();
  }

  view(): QueueView {
    const open = this.#view();
    const settled = this.#isKept() ? settledCounts(this.#hosting.store) : NOTHING_SETTLED;
    return { summary: summarize(open, settled), scheduler: snapshot(open, this.#scheduler), policy: this.#policy };
  }

  /** The newest jobs of a status, or of every status. */
  jobs(status: JobStatus | null, limit: number): readonly Job[] {
    this.#load();
    return this.#isKept() ? newestJobs(this.#hosting.store, status, limit) : [];
  }

  /** The job with an id and what it is about; null when there is none. */
  job(jobId: string): ClaimedJob | null {
    const job = this.#find(jobId);
    return job.status === "absent" ? null : { job, payload: loadPayload(this.#hosting.store, jobId) };
  }

  /** Sets the alarm to when it is needed next, or takes it away (I1). */
  rearm(): void {
    const { now } = this.#hosting.context();
    const at = this.#isKept() ? this.#nextAlarm(now) : null;
    if (at === this.#armedAt) return;
    this.#hosting.store.setAlarm(at);
    this.#armedAt = at;
  }

  #view(): OpenJobs {
    const jobs = [...this.#load().values()];
    return { jobs, policy: this.#policy, now: this.#hosting.context().now };
  }

  #isKept(): boolean {
    return isMigrated(this.#hosting.store, WORK_QUEUE);
  }

  #load(): Map<string, Job> {
    if (this.#open !== null) return this.#open;
    const { store, policy, context } = this.#hosting;
    this.#open = new Map();
    if (!this.#isKept()) return this.#open;
    forgetSettled(store, context().now);
    for (const job of openJobs(store)) this.#open.set(job.job_id, job);
    this.#seq = lastSeq(store);
    this.#policy = loadPolicy(store, policy);
    // Whoever wakes the object finds what it was woken for, even where an alarm was lost with the instance before (I1).
    if (this.#nextAlarm(context().now) !== null) this.rearm();
    return this.#open;
  }

  #find(jobId: string): JobState {
    const open = this.#load().get(jobId);
    if (open !== undefined) return open;
    return this.#isKept() ? loadJob(this.#hosting.store, jobId) : jobMachine.initial;
  }

  #tell(state: JobState, command: JobCommand, payload?: string): Answer<JobReply> {
    const decision = jobMachine.decide(state, command, this.#hosting.context());
    if (!decision.ok || decision.events.length === 0) return decision;
    const job = fold(jobMachine, state, decision.events) as Job;
    this.#commit(job, decision.effects, payload);
    return { ok: true, reply: decision.reply };
  }

  #commit(job: Job, effects: readonly FinishJob[], payload: string | undefined): void {
    const { store, objectId, context } = this.#hosting;
    const { now } = context();
    const death = deathOf(job, this.#policy.max_deliveries);
    const wanted = effects.length > 0 ? now + OUTBOX_WATCH_MS : death;
    const alarm = wanted !== null && (this.#armedAt === null || this.#armedAt > wanted) ? Math.max(wanted, now) : null;
    this.#transaction(() => {
      if (payload === undefined) updateJob(store, job);
      else insertJob(store, job, payload);
      // A job is settled once: its id makes the effect's (I4).
      for (const effect of effects) enqueueEffect(store, `${objectId}:${job.job_id}`, effect, now);
      if (alarm !== null) store.setAlarm(alarm);
    });
    if (alarm !== null) this.#armedAt = alarm;
    // Only a committed transaction may change what this instance believes.
    this.#seq = Math.max(this.#seq, job.seq);
    if (job.status === "open") this.#load().set(job.job_id, job);
    else this.#load().delete(job.job_id);
  }

  #transaction(body: () => void): void {
    const { store } = this.#hosting;
    store.transaction(() => {
      migrate(store, WORK_QUEUE);
      body();
    });
  }

  #nextAlarm(now: number): number | null {
    const times = [...(this.#open?.values() ?? [])].map((job) => deathOf(job, this.#policy.max_deliveries));
    const known = [nextEffectAt(this.#hosting.store), ...times].filter((time): time is number => time !== null);
    return known.length === 0 ? null : Math.max(Math.min(...known), now);
  }
}

const NOTHING_SETTLED = { acked: 0, purged: 0, dead: 0, responses: 0 };

const tooLarge = (what: string): Answer<never> =>
  reject(
    "payload_too_large",
    `the ${what} of a job is limited to ${MAX_JSON_BYTES} bytes: store it elsewhere and send its address`,
  );
