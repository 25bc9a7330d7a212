import type { Json, JsonObject } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";

/** How urgent a job is (spec/triggers 16). */
export type JobPriority = "high" | "normal" | "low";

/** What jobs are shared out fairly by; null where a job has no such label. */
export interface JobLabels {
  readonly tenant: string | null;
  readonly binding_key: string | null;
  readonly trigger_id: string | null;
}

/** The stage of a run that waits for a job. Workers are never shown it: the token completes the stage. */
export interface JobTarget {
  readonly tenant: string;
  readonly run_id: string;
  readonly stage_id: string;
  readonly node_id: string;
  readonly attempt_token: string;
  readonly command: string;
}

/** Somebody works on a job until the claim expires. */
export interface JobClaim {
  readonly claim_id: string;
  readonly consumer_id: string;
  readonly claimed_at_ms: Timestamp;
  readonly expires_at_ms: Timestamp;
}

/** What a worker said about one delivery of a job. */
export interface JobResponse {
  readonly consumer_id: string;
  readonly handled_at_ms: Timestamp;
  readonly outcome: Json;
  readonly error: string | null;
}

/** Where a job stands: the last three never change again. */
export type JobStatus = "open" | "acked" | "dead" | "purged";

/** A job of a queue, without its payload. */
export interface Job {
  readonly status: JobStatus;
  readonly job_id: string;
  /** The order of arrival within the queue. */
  readonly seq: number;
  readonly priority: JobPriority;
  readonly labels: JobLabels;
  readonly target: JobTarget | null;
  /** Of what the caller asked for: the same id with another request is refused (I5). */
  readonly request_digest: string;
  readonly max_deliveries: number | null;
  readonly enqueued_at_ms: Timestamp;
  readonly claim: JobClaim | null;
  /** Claims that were ever given out, the newest last: each of them may still acknowledge. */
  readonly claim_ids: readonly string[];
  /** The claim that was given back last, so that giving it back twice is once. */
  readonly released_claim_id: string | null;
  /** How often the job was handed out, without the times it was given back untouched. */
  readonly deliveries: number;
  /** Not before this time it is handed out again. */
  readonly not_before_ms: Timestamp;
  /** The newest answers; `response_count` counts all of them. */
  readonly responses: readonly JobResponse[];
  readonly response_count: number;
  readonly settled_at_ms: Timestamp | null;
  /** The claim that settled it; null where no worker did. */
  readonly settled_by: string | null;
  readonly result: Json;
  readonly error: string | null;
}

/** The state of one job id. */
export type JobState = { readonly status: "absent" } | Job;

/** What a caller asks for when it puts a job into a queue. */
export interface JobRequest {
  readonly job_id: string;
  readonly payload: Json;
  readonly priority: JobPriority;
  readonly labels: JobLabels;
  readonly max_deliveries: number | null;
  readonly target: JobTarget | null;
}

/** What a job can be told. `max_deliveries` is the bound of the queue's policy. */
export type JobCommand =
  | ({ readonly type: "enqueue"; readonly seq: number; readonly request_digest: string } & Omit<JobRequest, "payload">)
  | {
      readonly type: "claim";
      readonly consumer_id: string;
      readonly ttl_ms: number;
      /** The caller's own, so that asking twice is claiming once. */
      readonly claim_id?: string;
      readonly max_deliveries: number;
    }
  | { readonly type: "renew"; readonly claim_id: string; readonly ttl_ms: number }
  | {
      readonly type: "release";
      readonly claim_id: string;
      readonly reason: string | null;
      readonly delay_ms?: number;
    }
  | { readonly type: "respond"; readonly claim_id: string; readonly outcome: Json; readonly error: string | null }
  | { readonly type: "ack"; readonly claim_id: string; readonly result: Json }
  | {
      readonly type: "fail";
      readonly claim_id: string;
      readonly error: string;
      readonly retry: boolean;
      readonly delay_ms?: number;
      readonly max_deliveries: number;
    }
  | { readonly type: "purge"; readonly by: string; readonly reason: string | null; readonly max_deliveries: number }
  /** Makes a dead letter of a job whose last delivery came to nothing. */
  | { readonly type: "bury"; readonly max_deliveries: number };

/** What happened to a job. */
export type JobEvent =
  | ({
      readonly type: "job_enqueued";
      readonly at_ms: Timestamp;
      readonly seq: number;
      readonly request_digest: string;
    } & Omit<JobRequest, "payload">)
  | { readonly type: "job_claimed"; readonly claim: JobClaim }
  | { readonly type: "claim_renewed"; readonly claim_id: string; readonly expires_at_ms: Timestamp }
  | {
      readonly type: "job_released";
      readonly claim_id: string;
      readonly reason: string | null;
      readonly not_before_ms: Timestamp;
    }
  | { readonly type: "job_responded"; readonly response: JobResponse }
  | { readonly type: "job_acked"; readonly claim_id: string; readonly result: Json; readonly at_ms: Timestamp }
  | {
      readonly type: "job_failed";
      readonly claim_id: string;
      readonly error: string;
      readonly not_before_ms: Timestamp;
    }
  | { readonly type: "job_died"; readonly claim_id: string | null; readonly error: string; readonly at_ms: Timestamp }
  | { readonly type: "job_purged"; readonly by: string; readonly reason: string | null; readonly at_ms: Timestamp };

/** Orders of a job to the outside. */
export interface FinishJob {
  readonly type: "finish_job";
  readonly target: JobTarget;
  /** The result of the stage; a failed one is marked as such. */
  readonly result: JsonObject;
}

/** The answer of a job: how it stands, and the claim that was taken or kept. */
export interface JobReply {
  readonly job: Job;
}
