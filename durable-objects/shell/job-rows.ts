import type { Job, JobState, JobStatus } from "../../src/engine/work-queue/job.ts";
import { type QueuePolicy, queuePolicy } from "../../src/engine/work-queue/policy.ts";
import type { SettledCounts } from "../../src/engine/work-queue/view.ts";
import type { Json } from "../../src/lib/json.ts";
import type { Store } from "../storage/store.ts";

/** Writes a new job: one row. */
export const insertJob = (store: Store, job: Job, payload: string): number =>
  store.write(
    "INSERT INTO job (job_id, seq, status, responses, settled_at_ms, state, payload) VALUES (?, ?, ?, ?, ?, ?, ?)",
    job.job_id,
    job.seq,
    job.status,
    job.response_count,
    job.settled_at_ms,
    JSON.stringify(job),
    payload,
  );

/** Writes down where a job is now: one row. */
export const updateJob = (store: Store, job: Job): number =>
  store.write(
    "UPDATE job SET status = ?, responses = ?, settled_at_ms = ?, state = ? WHERE job_id = ?",
    job.status,
    job.response_count,
    job.settled_at_ms,
    JSON.stringify(job),
    job.job_id,
  );

/** The job with an id. */
export const loadJob = (store: Store, jobId: string): JobState => {
  const row = store.query("SELECT state FROM job WHERE job_id = ?", jobId)[0];
  return row === undefined ? { status: "absent" } : (JSON.parse(String(row["state"])) as Job);
};

/** What the job is about. */
export const loadPayload = (store: Store, jobId: string): Json => {
  const row = store.query("SELECT payload FROM job WHERE job_id = ?", jobId)[0];
  return row === undefined ? null : (JSON.parse(String(row["payload"])) as Json);
};

/** Every open job, in the order of arrival. */
export const openJobs = (store: Store): readonly Job[] =>
  store
    .query("SELECT state FROM job WHERE status = 'open' ORDER BY seq")
    .map((row) => JSON.parse(String(row["state"])) as Job);

/** Characters of jobs that are shown together: they have to fit into the object's memory and into its answer. */
const MAX_SHOWN = 7_000_000;

const NEWEST =
  "SELECT state FROM (SELECT seq, state, sum(length(state)) OVER (ORDER BY seq DESC) AS characters FROM (" +
  "SELECT seq, state FROM job WHERE ?1 IS NULL OR status = ?1 ORDER BY seq DESC LIMIT ?2" +
  ")) WHERE characters <= ?3 ORDER BY seq DESC";

/** Jobs of a status, the newest first, as many as can be shown together; of every status for null. */
export const newestJobs = (store: Store, status: JobStatus | null, limit: number): readonly Job[] =>
  store.query(NEWEST, status, limit, MAX_SHOWN).map((row) => JSON.parse(String(row["state"])) as Job);

/** The highest order of arrival so far. */
export const lastSeq = (store: Store): number =>
  Number(store.query("SELECT coalesce(max(seq), 0) AS last FROM job")[0]?.["last"]);

/** How many of the jobs that are kept are settled, and how many answers they have. */
export const settledCounts = (store: Store): SettledCounts => {
  const counts = { acked: 0, purged: 0, dead: 0, responses: 0 };
  const rows = store.query("SELECT status, count(*) AS jobs, sum(responses) AS responses FROM job GROUP BY status");
  for (const row of rows) {
    const status = String(row["status"]);
    counts.responses += Number(row["responses"]);
    if (status === "acked" || status === "purged" || status === "dead") counts[status] = Number(row["jobs"]);
  }
  return counts;
};

const DAY_MS = 86_400_000;
const KEPT_MS = 7 * DAY_MS;
const DEAD_KEPT_MS = 30 * DAY_MS;

/** Forgets jobs that were settled long ago: after 7 days, dead letters after 30. */
export const forgetSettled = (store: Store, now: number): number =>
  store.write(
    "DELETE FROM job WHERE status <> 'open' AND settled_at_ms < CASE status WHEN 'dead' THEN ?1 ELSE ?2 END",
    now - DEAD_KEPT_MS,
    now - KEPT_MS,
  );

/** The policy that was set, or the given one. */
export const loadPolicy = (store: Store, otherwise: QueuePolicy): QueuePolicy => {
  const row = store.query("SELECT policy FROM policy WHERE id = 1")[0];
  return row === undefined ? otherwise : queuePolicy(JSON.parse(String(row["policy"])) as Json, otherwise);
};

/** Sets the policy: one row. */
export const storePolicy = (store: Store, policy: QueuePolicy): number =>
  store.write(
    "INSERT INTO policy (id, policy) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET policy = excluded.policy",
    JSON.stringify(policy),
  );
