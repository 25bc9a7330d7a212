import { type WaitingEvent, inboxItem, jobItem, sortedQueued, type WaitingJob } from "../engine/finish/queued.ts";
import { snapshotOf, type UnknownPart, type UnsettledSnapshot } from "../engine/finish/snapshot.ts";
import type { RunUnsettled } from "../engine/run/unsettled.ts";
import type { JsonObject } from "../lib/json.ts";
import { rfc3339 } from "../lib/time.ts";

/** Who is asked what a run has left unsettled. Each may fail or never answer. */
export interface UnsettledPorts {
  /** The run itself; null for a run that does not exist. */
  readonly run: () => Promise<RunUnsettled | null>;
  /** A worker as an item of the snapshot; null for one that is settled. */
  readonly unsettledOfWorker: (workerId: string) => Promise<JsonObject | null | "unknown">;
  /** An open job; null for one that is settled. */
  readonly job: (queue: string, jobId: string) => Promise<WaitingJob | null>;
  /** Events that wait in the triggers of a workflow, as the list of events has them. */
  readonly events: (workflowId: string) => Promise<readonly WaitingEvent[]>;
  /** Tasks of the run's pools that are not over. */
  readonly poolTasks: (runId: string) => Promise<readonly JsonObject[]>;
}

/** How long is waited, and the clock. */
export interface Asking {
  /** Settles when no more answers are waited for. */
  readonly deadline: Promise<unknown>;
  readonly now: () => number;
}

/** A snapshot over several objects: no atomic cut, so each part says when it was true (spec/workers 31). */
export interface GatheredSnapshot extends UnsettledSnapshot {
  readonly run: RunUnsettled;
  readonly unknown: readonly UnknownPart[];
  readonly as_of: Readonly<Record<"run" | "workers" | "queues" | "triggers" | "pools", string>>;
}

/** What one of those who are asked knew, or why nothing is known. */
type Known<Value> = { readonly value: Value } | { readonly unknown: UnknownPart };

type Asked = Pick<UnknownPart, "bucket" | "id">;

/** Asks one of them: who fails or is late leaves a gap and no error. */
const ask = async <Value>(
  asked: Asked,
  answer: Promise<Value | "unknown">,
  { deadline }: Asking,
): Promise<Known<Value>> => {
  const gap = (reason: string): Known<Value> => ({ unknown: { ...asked, reason } });
  const known = answer.then(
    (value): Known<Value> => (value === "unknown" ? gap("it could not say") : { value: value as Value }),
    () => gap("it could not be reached"),
  );
  return Promise.race([known, deadline.then(() => gap("it did not answer in time"))]);
};

const values = <Value>(known: readonly Known<Value>[]): readonly Value[] =>
  known.flatMap((one) => ("value" in one ? [one.value] : []));

const gaps = (known: readonly Known<unknown>[]): readonly UnknownPart[] =>
  known.flatMap((one) => ("unknown" in one ? [one.unknown] : []));

const present = <Value>(items: readonly (Value | null)[]): readonly Value[] =>
  items.filter((item): item is Value & NonNullable<Value> => item !== null);

/**
 * What a run has left unsettled, asked of everybody who may know, at the same time (spec/workers 21.3, 31). Whoever does not
 * answer is reported as unknown, never as settled. Null for a run that does not exist.
 */
export const gatherUnsettled = async (ports: UnsettledPorts, asking: Asking): Promise<GatheredSnapshot | null> => {
  const run = await ports.run();
  if (run === null) return null;
  const stamped = async <Value>(work: Promise<Value>): Promise<readonly [Value, string]> => {
    const value = await work;
    return [value, rfc3339(asking.now())];
  };
  const bucket = "suspended_subagents";
  const inQueue = "queued_triggers";
  const [[workers, workersAt], [jobs, queuesAt], [events, triggersAt], [tasks, poolsAt]] = await Promise.all([
    stamped(Promise.all(run.worker_ids.map((id) => ask({ bucket, id }, ports.unsettledOfWorker(id), asking)))),
    stamped(
      Promise.all(
        run.jobs.map(({ queue, job_id }) => {
          const id = `worker://${queue}/${job_id}`;
          return ask({ bucket: inQueue, id }, ports.job(queue, job_id), asking);
        }),
      ),
    ),
    stamped(ask({ bucket: inQueue, id: "triggers" }, ports.events(run.workflow_id), asking)),
    stamped(ask({ bucket: "pool_pending_tasks", id: "pools" }, ports.poolTasks(run.run_id), asking)),
  ]);
  const now = asking.now();
  const unknown = [...gaps(workers), ...gaps(jobs), ...gaps([events]), ...gaps([tasks])];
  const state = {
    suspended_subagents: present(values(workers)),
    queued_triggers: sortedQueued([
      ...values([events])
        .flat()
        .map((event) => inboxItem(event, now)),
      ...present(values(jobs)).map((job) => jobItem(job, now)),
    ]),
    partial_handoffs: run.partial_handoffs,
    in_flight_llm_calls: run.in_flight_llm_calls,
    pool_pending_tasks: values([tasks]).flat(),
  };
  return {
    ...snapshotOf(state, unknown),
    run,
    unknown,
    as_of: {
      run: rfc3339(run.as_of_ms),
      workers: workersAt,
      queues: queuesAt,
      triggers: triggersAt,
      pools: poolsAt,
    },
  };
};
