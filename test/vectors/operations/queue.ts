import type { ClaimedJob, QueueShell } from "../../../durable-objects/shell/queue-shell.ts";
import type { Answer } from "../../../src/engine/machine.ts";
import type { Job, JobLabels, JobPriority } from "../../../src/engine/work-queue/job.ts";
import { isClaimed } from "../../../src/engine/work-queue/machine.ts";
import { consumerId, queueName, responseTopic } from "../../../src/engine/work-queue/names.ts";
import { policyFromEnv, queuePolicy } from "../../../src/engine/work-queue/policy.ts";
import { type Candidate, pickJob } from "../../../src/engine/work-queue/scheduler.ts";
import { isObject, type Json, type JsonObject } from "../../../src/lib/json.ts";
import { listArg, type Operations, textArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";

const NO_LABELS: JobLabels = { tenant: null, binding_key: null, trigger_id: null };

const optionalText = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);

const nameArg = (args: JsonObject): string => valueOf(queueName(textArg(args, "queue")));

const queueArg = (system: System, args: JsonObject): QueueShell => system.queues.named(nameArg(args));

const handleArg = (system: System, args: JsonObject) => {
  const handle = args["handle"] as JsonObject;
  const queue = system.queues.named(textArg(handle, "queue"));
  return { queue, jobId: textArg(handle, "job_event_id"), claim_id: textArg(handle, "claim_id") };
};

const replyOf = <Reply>(answer: Answer<Reply>): Reply => {
  if (!answer.ok) throw new Error(answer.rejection.detail);
  return answer.reply;
};

/** A claim that does not hold any more changes nothing, and these operations are not told so. */
const settledOrStale = (answer: Answer<unknown>): void => {
  if (!answer.ok && answer.rejection.code !== "stale_attempt") throw new Error(answer.rejection.detail);
};

const enqueue = (system: System, args: JsonObject): JsonObject => {
  const queue = nameArg(args);
  const trigger = optionalText(args["trigger_id"]) ?? "t";
  const binding = `${trigger}@v1`;
  const event_id = textArg(args, "event_id");
  const job_id = system.clock.nextId("job");
  replyOf(
    system.queues.named(queue).enqueue({
      job_id,
      payload: { event_id, trigger_id: trigger, binding_key: binding, provider: "github", kind: "issues.opened" },
      priority: (optionalText(args["priority"]) ?? "normal") as JobPriority,
      labels: { tenant: optionalText(args["tenant"]), binding_key: binding, trigger_id: trigger },
      max_deliveries: null,
      target: null,
    }),
  );
  return { queue, job_event_id: job_id, response_topic: responseTopic(queue) };
};

const shownJob = (queue: string, job: Job, payload: Json): JsonObject => ({
  queue,
  job_event_id: job.job_id,
  priority: job.priority,
  enqueued_at_ms: job.enqueued_at_ms,
  ...job.labels,
  ...(isObject(payload) ? payload : {}),
});

const handed = (queue: string, claimed: ClaimedJob | null): Json => {
  const claim = claimed?.job.claim;
  if (claimed === null || claim == null) return null;
  const handle = { queue, job_event_id: claimed.job.job_id, ...claim } as unknown as Json;
  return { handle, job: shownJob(queue, claimed.job, claimed.payload) };
};

const claim = (system: System, args: JsonObject): Json => {
  const queue = nameArg(args);
  const consumer_id = valueOf(consumerId(textArg(args, "consumer_id")));
  return handed(queue, replyOf(system.queues.named(queue).claim({ consumer_id, ttl_ms: Number(args["ttl_ms"]) })));
};

const stateOf = (system: System, args: JsonObject): unknown => {
  const queue = nameArg(args);
  const shell = system.queues.named(queue);
  const jobs = shell.jobs(null, 1_000).toReversed();
  return {
    summary: { queue, ...shell.view().summary },
    jobs: jobs.map((job) => ({
      ...shownJob(queue, job, shell.job(job.job_id)?.payload ?? null),
      acked: job.status === "acked",
      purged: job.status === "purged",
      active_claim: isClaimed(job, system.clock.now) ? job.claim : null,
    })),
    responses: jobs.flatMap((job) =>
      job.responses.map((response) => ({ queue, job_event_id: job.job_id, ...response })),
    ),
  };
};

const ACKNOWLEDGED: ReadonlySet<Json | undefined> = new Set(["succeeded", "skipped"]);

const drain = (system: System, args: JsonObject): unknown => {
  const queue = nameArg(args);
  const shell = system.queues.named(queue);
  const outcomes = [...listArg(args, "outcomes")];
  const responses: unknown[] = [];
  const counts = { drained: 0, acked: 0, deferred: 0 };
  for (;;) {
    const claimed = replyOf(shell.claim({ consumer_id: textArg(args, "consumer_id"), ttl_ms: Number(args["ttl_ms"]) }));
    if (claimed === null) break;
    const { job_id, claim: held } = claimed.job;
    const claim_id = held?.claim_id ?? "";
    const outcome = outcomes.shift() ?? { status: "succeeded" };
    const status = isObject(outcome) ? outcome["status"] : undefined;
    const { job } = replyOf(shell.tell(job_id, { type: "respond", claim_id, outcome, error: null }));
    responses.push({ queue, job_event_id: job_id, ...job.responses.at(-1) });
    counts.drained += 1;
    if (ACKNOWLEDGED.has(status)) {
      replyOf(shell.tell(job_id, { type: "ack", claim_id, result: null }));
      counts.acked += 1;
    } else counts.deferred += 1;
  }
  return { ...counts, queue, responses, summary: { queue, ...shell.view().summary } };
};

const candidates = (args: JsonObject): Candidate[] =>
  listArg(args, "jobs").map((entry) => {
    const job = entry as JsonObject;
    return {
      job_id: String(job["job_event_id"]),
      seq: Number(job["job_event_id"]),
      priority: (optionalText(job["priority"]) ?? "normal") as JobPriority,
      enqueued_at_ms: Number(job["enqueued_at_ms"]),
      labels: {
        ...NO_LABELS,
        tenant: optionalText(job["tenant"]),
        binding_key: optionalText(job["binding_key"]),
        trigger_id: optionalText(job["trigger_id"]),
      },
    };
  });

const runScheduler = (system: System, args: JsonObject): unknown => {
  const policy = queuePolicy(args["policy"] ?? {});
  const times = typeof args["times"] === "number" ? args["times"] : 1;
  const in_flight = new Map(Object.entries((args["in_flight"] ?? {}) as Readonly<Record<string, number>>));
  let ready = candidates(args);
  const picks: ({ readonly job_event_id: number; readonly fairness_key: string | null } | null)[] = [];
  for (let turn = 0; turn < times; turn++) {
    const picked = pickJob(policy, system.scheduler, { ready, in_flight, now: Number(args["now_ms"]) });
    system.scheduler = picked.state;
    const { job, key } = picked;
    picks.push(job === null ? null : { job_event_id: job.seq, fairness_key: key });
    if (args["remove_selected"] === true) ready = ready.filter((other) => other !== job);
  }
  const { starvation_promotions_total, rounds_completed, deferred_total } = system.scheduler;
  const keys = picks.map((pick) => pick?.fairness_key ?? null);
  return { picks, keys, starvation_promotions_total, rounds_completed, deferred_total };
};

/** Work queues (spec/triggers 16 and 17). */
export const queueOperations: Operations = {
  set_queue_policy: (system, args) => system.queues.setPolicy(queuePolicy(args["policy"] ?? {})),
  policy_from_env: (_system, args) => policyFromEnv((args["env"] ?? {}) as JsonObject),
  enqueue_job: enqueue,
  claim_job: claim,
  renew_claim: (system, args) => {
    const { queue, jobId, claim_id } = handleArg(system, args);
    return queue.tell(jobId, { type: "renew", claim_id, ttl_ms: Number(args["ttl_ms"]) }).ok;
  },
  release_claim: (system, args) => {
    const { queue, jobId, claim_id } = handleArg(system, args);
    const reason = optionalText(args["reason"])?.trim() || null;
    settledOrStale(queue.tell(jobId, { type: "release", claim_id, reason }));
  },
  ack_claim: (system, args) => {
    const { queue, jobId, claim_id } = handleArg(system, args);
    settledOrStale(queue.tell(jobId, { type: "ack", claim_id, result: null }));
  },
  append_response: (system, args) => {
    const { queue, jobId, claim_id } = handleArg(system, args);
    const outcome = args["outcome"] ?? null;
    settledOrStale(queue.tell(jobId, { type: "respond", claim_id, outcome, error: null }));
  },
  purge_queue: (system, args) =>
    replyOf(queueArg(system, args).purge(textArg(args, "purged_by"), optionalText(args["reason"]))),
  queue_state: stateOf,
  queue_summaries: (system) =>
    system.queues.names.map((queue) => ({ queue, ...system.queues.named(queue).view().summary })),
  inspect_queue: (system, args) => {
    const queue = nameArg(args);
    const { summary, scheduler } = system.queues.named(queue).view();
    return { summary: { queue, ...summary }, scheduler };
  },
  drain_queue: drain,
  scheduler_run: runScheduler,
};
