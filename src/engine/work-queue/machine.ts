// One job of a queue (spec/triggers 16, spec/workers-and-lifecycle 22.5).
//
//   (absent) --enqueue--> open, ready --claim--> open, claimed --ack--> acked
//                          ^    |                 |    |   \
//                          |    +--purge--> purged|    |    +--fail for good, or the last delivery--> dead
//                          +----release, fail-----+    +--the claim expires: ready again, or dead after the last delivery
//
// Q1 At most one claim is live; only its holder can renew, release or fail the job.
// Q2 An acknowledgement by any claim that was ever given out settles an open job; the first one counts.
// Q3 A job is handed out at most `max_deliveries` times; what was given back untouched does not count.
// Q4 acked, dead and purged are final, and a run that waits for the job is told exactly then.
// Q5 The same job id with the same request is the same job.

import type { Json } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import { type Context, type Decision, type Machine, reject } from "../machine.ts";
import { commandFailure, commandResult } from "../verification/command-job.ts";
import type { FinishJob, Job, JobCommand, JobEvent, JobReply, JobResponse, JobState } from "./job.ts";

type JobDecision = Decision<JobEvent, FinishJob, JobReply>;
type Told<Type extends JobCommand["type"]> = Extract<JobCommand, { readonly type: Type }>;

const MAX_CLAIM_IDS = 50;
const MAX_RESPONSES = 5;
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 300_000;

/** True while somebody holds the job. */
export const isClaimed = ({ claim }: Pick<Job, "claim">, now: Timestamp): boolean =>
  claim !== null && claim.expires_at_ms > now;

const limitOf = (job: Job, maxDeliveries: number): number => job.max_deliveries ?? maxDeliveries;

/** True for a job that can be claimed now. */
export const isReady = (job: Job, now: Timestamp, maxDeliveries: number): boolean =>
  job.status === "open" &&
  !isClaimed(job, now) &&
  job.not_before_ms <= now &&
  job.deliveries < limitOf(job, maxDeliveries);

/** When a job becomes a dead letter unless something happens before; null for never. */
export const deathOf = (job: Job, maxDeliveries: number): Timestamp | null => {
  if (job.status !== "open" || job.deliveries < limitOf(job, maxDeliveries)) return null;
  return job.claim?.expires_at_ms ?? job.not_before_ms;
};

const withResponse = (job: Job, response: JobResponse): Job => ({
  ...job,
  responses: [...job.responses, response].slice(-MAX_RESPONSES),
  response_count: job.response_count + 1,
});

const enqueued = (event: Extract<JobEvent, { type: "job_enqueued" }>): Job => {
  const { type: _type, at_ms, ...job } = event;
  return {
    status: "open",
    ...job,
    enqueued_at_ms: at_ms,
    claim: null,
    claim_ids: [],
    released_claim_id: null,
    deliveries: 0,
    not_before_ms: at_ms,
    responses: [],
    response_count: 0,
    settled_at_ms: null,
    settled_by: null,
    result: null,
    error: null,
  };
};

const evolveOpen = (job: Job, event: Exclude<JobEvent, { type: "job_enqueued" }>): Job => {
  switch (event.type) {
    case "job_claimed": {
      const claim_ids = [...job.claim_ids, event.claim.claim_id].slice(-MAX_CLAIM_IDS);
      return { ...job, claim: event.claim, claim_ids, deliveries: job.deliveries + 1 };
    }
    case "claim_renewed":
      return job.claim === null ? job : { ...job, claim: { ...job.claim, expires_at_ms: event.expires_at_ms } };
    case "job_released":
      return {
        ...job,
        claim: null,
        released_claim_id: event.claim_id,
        deliveries: job.deliveries - 1,
        not_before_ms: event.not_before_ms,
      };
    case "job_failed":
      return { ...job, claim: null, error: event.error, not_before_ms: event.not_before_ms };
    case "job_acked": {
      const { claim_id, result, at_ms } = event;
      return { ...job, status: "acked", claim: null, result, error: null, settled_at_ms: at_ms, settled_by: claim_id };
    }
    case "job_died": {
      const { claim_id, error, at_ms } = event;
      return { ...job, status: "dead", claim: null, error, settled_at_ms: at_ms, settled_by: claim_id };
    }
    case "job_purged":
      return { ...job, status: "purged", claim: null, error: event.reason, settled_at_ms: event.at_ms };
    case "job_responded":
      return job;
  }
};

const evolve = (state: JobState, event: JobEvent): JobState => {
  if (event.type === "job_enqueued") return state.status === "absent" ? enqueued(event) : state;
  if (state.status === "absent") return state;
  // A late answer is kept with a settled job too; nothing else changes one.
  if (event.type === "job_responded") return withResponse(state, event.response);
  return state.status === "open" ? evolveOpen(state, event) : state;
};

const decided = (state: JobState, events: readonly JobEvent[], effects: readonly FinishJob[] = []): JobDecision => {
  const job = events.reduce(evolve, state);
  if (job.status === "absent") return reject("job_not_found", "there is no such job");
  return { ok: true, events, effects, reply: { job } };
};

const staleClaim = (job: Job): JobDecision =>
  reject("stale_attempt", `the claim on job ${job.job_id} is not the current one: stop working on it`, {
    job_id: job.job_id,
    status: job.status,
  });

const finish = (job: Job, result: FinishJob["result"]): readonly FinishJob[] =>
  job.target === null ? [] : [{ type: "finish_job", target: job.target, result }];

const enqueue = (state: JobState, command: Told<"enqueue">, { now }: Context): JobDecision => {
  if (state.status === "absent") {
    const { type: _type, ...job } = command;
    return decided(state, [{ type: "job_enqueued", at_ms: now, ...job }]);
  }
  if (state.request_digest === command.request_digest) return decided(state, []);
  return reject("idempotency_key_reused", `the queue has another job with the id ${state.job_id}`);
};

const holds = (job: Job, claimId: string): boolean => job.status === "open" && job.claim?.claim_id === claimId;

const claim = (job: Job, command: Told<"claim">, { now, nextId }: Context): JobDecision => {
  if (command.claim_id !== undefined && holds(job, command.claim_id)) return decided(job, []);
  if (!isReady(job, now, command.max_deliveries)) return reject("invalid_transition", `job ${job.job_id} is not ready`);
  const { consumer_id, ttl_ms } = command;
  const claim_id = command.claim_id ?? nextId("claim");
  const taken = { claim_id, consumer_id, claimed_at_ms: now, expires_at_ms: now + ttl_ms };
  return decided(job, [{ type: "job_claimed", claim: taken }]);
};

const renew = (job: Job, command: Told<"renew">, { now }: Context): JobDecision =>
  holds(job, command.claim_id)
    ? decided(job, [{ type: "claim_renewed", claim_id: command.claim_id, expires_at_ms: now + command.ttl_ms }])
    : staleClaim(job);

const release = (job: Job, command: Told<"release">, { now }: Context): JobDecision => {
  const { claim_id, reason, delay_ms: delay = 0 } = command;
  if (job.status === "open" && job.claim === null && job.released_claim_id === claim_id) return decided(job, []);
  if (!holds(job, claim_id)) return staleClaim(job);
  return decided(job, [{ type: "job_released", claim_id, reason, not_before_ms: now + delay }]);
};

const died = (job: Job, claimId: string | null, error: string, now: Timestamp): JobDecision =>
  decided(
    job,
    [{ type: "job_died", claim_id: claimId, error, at_ms: now }],
    finish(job, commandFailure(`the command's job ${job.job_id} failed: ${error}`)),
  );

/** How long a job rests after its n-th delivery came to nothing: doubled each time, at most five minutes. */
const backoff = (deliveries: number): number => Math.min(FIRST_BACKOFF_MS * 2 ** (deliveries - 1), MAX_BACKOFF_MS);

const fail = (job: Job, command: Told<"fail">, { now }: Context): JobDecision => {
  const { claim_id, error } = command;
  if (job.status === "dead" && job.settled_by === claim_id) return decided(job, []);
  if (!holds(job, claim_id)) return staleClaim(job);
  if (!command.retry) return died(job, claim_id, error, now);
  const limit = limitOf(job, command.max_deliveries);
  if (job.deliveries >= limit) return died(job, claim_id, `${error} (delivery ${job.deliveries} of ${limit})`, now);
  const not_before_ms = now + (command.delay_ms ?? backoff(job.deliveries));
  return decided(job, [{ type: "job_failed", claim_id, error, not_before_ms }]);
};

const wasGiven = (job: Job, claimId: string): boolean => claimId === "" || job.claim_ids.includes(claimId);

const sameJson = (a: Json, b: Json): boolean => JSON.stringify(a) === JSON.stringify(b);

const ack = (job: Job, command: Told<"ack">, { now }: Context): JobDecision => {
  const { claim_id, result } = command;
  if (job.status === "acked" && job.settled_by === claim_id && sameJson(job.result, result)) return decided(job, []);
  if (job.status !== "open" || !wasGiven(job, claim_id)) return staleClaim(job);
  const { target } = job;
  const effects = target === null ? [] : finish(job, commandResult(target.command, result));
  return decided(job, [{ type: "job_acked", claim_id, result, at_ms: now }], effects);
};

const respond = (job: Job, command: Told<"respond">, { now }: Context): JobDecision => {
  if (!wasGiven(job, command.claim_id)) return staleClaim(job);
  const consumer_id = job.claim?.claim_id === command.claim_id ? job.claim.consumer_id : "";
  const { outcome, error } = command;
  return decided(job, [{ type: "job_responded", response: { consumer_id, handled_at_ms: now, outcome, error } }]);
};

const purge = (job: Job, command: Told<"purge">, { now }: Context): JobDecision => {
  if (!isReady(job, now, command.max_deliveries)) return decided(job, []);
  const { by, reason } = command;
  const error = `the command's job ${job.job_id} was purged by ${by}${reason === null ? "" : `: ${reason}`}`;
  return decided(job, [{ type: "job_purged", by, reason, at_ms: now }], finish(job, commandFailure(error)));
};

const bury = (job: Job, command: Told<"bury">, { now }: Context): JobDecision => {
  const at = deathOf(job, command.max_deliveries);
  if (at === null || at > now) return decided(job, []);
  const error = `${job.error ?? "no worker gave a sign of life"} (delivery ${job.deliveries} of ${limitOf(job, command.max_deliveries)})`;
  return died(job, null, error, now);
};

const decideExisting = (job: Job, command: Exclude<JobCommand, Told<"enqueue">>, context: Context): JobDecision => {
  switch (command.type) {
    case "claim":
      return claim(job, command, context);
    case "renew":
      return renew(job, command, context);
    case "release":
      return release(job, command, context);
    case "respond":
      return respond(job, command, context);
    case "ack":
      return ack(job, command, context);
    case "fail":
      return fail(job, command, context);
    case "purge":
      return purge(job, command, context);
    case "bury":
      return bury(job, command, context);
  }
};

/** One job of a queue, from being put there to being settled. */
export const jobMachine: Machine<JobState, JobCommand, JobEvent, FinishJob, JobReply> = {
  initial: { status: "absent" },
  evolve,
  decide: (state, command, context) => {
    if (command.type === "enqueue") return enqueue(state, command, context);
    if (state.status === "absent") return reject("job_not_found", "there is no such job in this queue");
    return decideExisting(state, command, context);
  },
};
