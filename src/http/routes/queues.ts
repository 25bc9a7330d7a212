import { consumerId, queueName } from "../../engine/work-queue/names.ts";
import { type QueuePolicy, queuePolicy } from "../../engine/work-queue/policy.ts";
import type { Json } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { rfc3339 } from "../../lib/time.ts";
import { uuidIds } from "../../ports/ids.ts";
import {
  ackJobSchema,
  claimedJobSchema,
  claimJobSchema,
  configureQueueSchema,
  failJobSchema,
  jobViewSchema,
  newJobSchema,
  purgedSchema,
  purgeQueueSchema,
  queueQuery,
  queueSchema,
  releaseJobSchema,
  renewClaimSchema,
} from "../../schema/api-queue.ts";
import type { ClaimedJob } from "../../../durable-objects/shell/queue-shell.ts";
import type { Call } from "../call.ts";
import { idFor } from "../idempotency.ts";
import { fromRejection, invalid, type Problem } from "../problem.ts";
import { type QueueObject, queueObject } from "../queue-object.ts";
import { jobView, queueView } from "../queue-view.ts";
import { done, type Router } from "../router.ts";

const shared = { tag: "Queues", access: "queues" } as const;

/** The queue of a path; spaces around its name do not count (spec/triggers 16.1). */
const named = (
  call: Call,
  text: string,
): Result<{ readonly queue: string; readonly object: () => QueueObject }, Problem> => {
  const name = queueName(text);
  if (!name.ok) return err(invalid([{ path: "name", message: name.error }], name.error));
  return ok({ queue: name.value, object: () => queueObject(call.env, call.tenant, name.value) });
};

const addEnqueue = (router: Router): void =>
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/queues/{name}/jobs",
      operation: "enqueue_job",
      summary: "Put a job into a queue",
      body: { name: "NewJob", schema: newJobSchema },
      reply: { status: 201, description: "The job", name: "Job", schema: jobViewSchema },
      problems: ["idempotency_key_reused", "payload_too_large"],
    },
    async ({ params, body, call }) => {
      const found = named(call, params.name);
      if (!found.ok) return found.error;
      const { job_id, payload, priority, max_deliveries, ...labels } = body;
      const known = idFor(call, "enqueue_job");
      const id = job_id ?? (known === null ? uuidIds("job") : `job_${known}`);
      const request = { job_id: id, payload: payload as Json, priority, labels, max_deliveries, target: null };
      const answer = await found.value.object().enqueue(request);
      if (!answer.ok) return fromRejection(answer.rejection);
      return done(jobView(answer.reply.job), 201);
    },
  );

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 2_000;

/** Asks a queue again and again until it hands out a job or the time is over: nothing waits within the object. */
const claimWithin = async (
  object: () => QueueObject,
  request: Parameters<QueueObject["claim"]>[0],
  waitMs: number,
): ReturnType<QueueObject["claim"]> => {
  const until = Date.now() + waitMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
    const answer = await object().claim(request);
    const left = until - Date.now();
    if (!answer.ok || answer.reply !== null || left <= 0) return answer;
    await scheduler.wait(Math.min(pause, left));
  }
};

const handedOut = (claimed: ClaimedJob | null) => {
  const claim = claimed?.job.claim;
  if (claimed === null || claim == null) return { claim: null, job: null };
  const { claim_id, consumer_id, expires_at_ms } = claim;
  return {
    claim: { claim_id, consumer_id, expires_at: rfc3339(expires_at_ms) },
    job: { ...jobView(claimed.job), payload: claimed.payload },
  };
};

const addClaim = (router: Router): void =>
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/queues/{name}/claim",
      operation: "claim_job",
      summary: "Claim the next job",
      description:
        "`claim` and `job` are null when nothing is ready. Renew the claim while you work; one that expires gives the job to somebody else. With an Idempotency-Key a repeated request gets the claim it already has.",
      body: { name: "ClaimJob", schema: claimJobSchema },
      reply: { status: 200, description: "The claim", name: "ClaimedJob", schema: claimedJobSchema },
    },
    async ({ params, body, call }) => {
      const found = named(call, params.name);
      if (!found.ok) return found.error;
      const consumer = consumerId(body.consumer_id);
      if (!consumer.ok) return invalid([{ path: "consumer_id", message: consumer.error }], consumer.error);
      const key = idFor(call, `claim_job\n${found.value.queue}`);
      const mine = key === null ? {} : { claim_id: `claim_${key}` };
      const request = { consumer_id: consumer.value, ttl_ms: body.ttl_ms, ...mine };
      const answer = await claimWithin(found.value.object, request, body.wait_ms);
      return answer.ok ? done(handedOut(answer.reply)) : fromRejection(answer.rejection);
    },
  );

type Command = Parameters<QueueObject["tell"]>[1];

const tell = async (call: Call, params: { readonly name: string; readonly id: string }, command: Command) => {
  const found = named(call, params.name);
  if (!found.ok) return found.error;
  const answer = await found.value.object().tell(params.id, command);
  return answer.ok ? done(jobView(answer.reply.job)) : fromRejection(answer.rejection);
};

const job = {
  ...shared,
  method: "post",
  reply: { status: 200, description: "The job", name: "Job", schema: jobViewSchema },
  problems: ["job_not_found", "stale_attempt", "payload_too_large"],
} as const;

const addWork = (router: Router): void => {
  router.add(
    {
      ...job,
      path: "/v1/queues/{name}/jobs/{id}/renew",
      operation: "renew_job",
      summary: "Keep a claim",
      body: { name: "RenewClaim", schema: renewClaimSchema },
    },
    ({ params, body, call }) => tell(call, params, { type: "renew", ...body }),
  );
  router.add(
    {
      ...job,
      path: "/v1/queues/{name}/jobs/{id}/release",
      operation: "release_job",
      summary: "Give a job back untouched",
      body: { name: "ReleaseJob", schema: releaseJobSchema },
    },
    ({ params, body: { delay_ms, reason, claim_id }, call }) =>
      tell(call, params, {
        type: "release",
        claim_id,
        reason: reason?.trim() || null,
        ...(delay_ms === undefined ? {} : { delay_ms }),
      }),
  );
  router.add(
    {
      ...job,
      path: "/v1/queues/{name}/jobs/{id}/ack",
      operation: "ack_job",
      summary: "Settle a job with its result",
      description:
        "Any claim that was ever given out may settle an open job, also one that has expired; the first answer counts. Where a run waits for the job, its stage is completed with the result.",
      body: { name: "AckJob", schema: ackJobSchema },
    },
    ({ params, body, call }) =>
      tell(call, params, { type: "ack", claim_id: body.claim_id, result: (body.result ?? null) as Json }),
  );
  router.add(
    {
      ...job,
      path: "/v1/queues/{name}/jobs/{id}/fail",
      operation: "fail_job",
      summary: "Say that a job could not be done",
      description:
        "It is handed out again after a pause, until its deliveries are used up; then it is a dead letter, and the stage of a run that waits for it fails.",
      body: { name: "FailJob", schema: failJobSchema },
    },
    ({ params, body: { delay_ms, ...body }, call }) =>
      tell(call, params, { type: "fail", ...body, ...(delay_ms === undefined ? {} : { delay_ms }) }),
  );
};

const queueReply = { status: 200, description: "The queue", name: "Queue", schema: queueSchema } as const;

const addQueue = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/queues/{name}",
      operation: "get_queue",
      summary: "Look into a queue",
      query: queueQuery,
      reply: queueReply,
    },
    async ({ params, query, call }) => {
      const found = named(call, params.name);
      if (!found.ok) return found.error;
      const { jobs, ...view } = await found.value.object().show(query.status ?? null, query.limit);
      return done(queueView(found.value.queue, view, jobs));
    },
  );
  router.add(
    {
      ...shared,
      method: "put",
      path: "/v1/queues/{name}",
      operation: "configure_queue",
      summary: "Set how a queue shares out its jobs",
      body: { name: "ConfigureQueue", schema: configureQueueSchema },
      reply: queueReply,
    },
    async ({ params, body, call }) => {
      const found = named(call, params.name);
      if (!found.ok) return found.error;
      const policy: QueuePolicy = queuePolicy(body as Json);
      return done(queueView(found.value.queue, await found.value.object().configure(policy)));
    },
  );
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/queues/{name}/purge",
      operation: "purge_queue",
      summary: "Take every ready job out of a queue",
      description: "Claimed jobs are left alone. The stage of a run that waits for a purged job fails.",
      body: { name: "PurgeQueue", schema: purgeQueueSchema, optional: true },
      reply: { status: 200, description: "How many", name: "PurgedQueue", schema: purgedSchema },
    },
    async ({ params, body, call }) => {
      const found = named(call, params.name);
      if (!found.ok) return found.error;
      const answer = await found.value.object().purge("api", body.reason);
      return answer.ok ? done(answer.reply) : fromRejection(answer.rejection);
    },
  );
};

/** Work queues: jobs for workers outside (spec/triggers 16). */
export const addQueueRoutes = (router: Router): void => {
  addEnqueue(router);
  addClaim(router);
  addWork(router);
  addQueue(router);
};
