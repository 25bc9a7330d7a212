import type { Bindings } from "../http/call.ts";
import { runObject } from "../http/run-object.ts";
import { report, textOf } from "../queue/report.ts";
import { wakeLostSchedules } from "./lost-ticks.ts";
import { resumeOperations } from "./stopped-operations.ts";

/** A running run that the list has not seen move for so long is looked at. */
const STALE_MS = 10 * 60_000;

/** An older one is left alone: it waits for a person or a caller, and each look costs a request. */
const FORGOTTEN_MS = 24 * 60 * 60_000;

const MAX_RUNS = 50;

interface Stale {
  readonly tenant: string;
  readonly run_id: string;
}

const staleRuns = async (db: D1Database, now: number): Promise<readonly Stale[]> => {
  const at = (ago: number): string => new Date(now - ago).toISOString();
  const { results } = await db
    .prepare(
      "SELECT tenant, run_id FROM runs WHERE status = 'running' AND updated_at < ? AND updated_at > ? ORDER BY updated_at LIMIT ?",
    )
    .bind(at(STALE_MS), at(FORGOTTEN_MS), MAX_RUNS)
    .all<Stale>();
  return results;
};

/**
 * Wakes runs that look stuck; each decides itself whether it needs a driver. Nothing depends on this: a run's own alarm
 * does the same.
 */
export const wakeStaleRuns = async (env: Bindings, now: number): Promise<void> => {
  for (const { tenant, run_id: runId } of await staleRuns(env.DB, now)) {
    await runObject(env, tenant, runId)
      .request({ type: "wake" })
      .catch((error: unknown) => report("a run could not be woken", { run_id: runId, error: textOf(error) }));
  }
};

/** What the static Cron Trigger does: it finds what alarms were to find and did not. */
export const watch = async (env: Bindings, now: number): Promise<void> => {
  await Promise.all([wakeStaleRuns(env, now), wakeLostSchedules(env, now), resumeOperations(env, now)]);
};
