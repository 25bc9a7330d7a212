import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildBundles } from "./bundle.ts";
import { CRON, startCron } from "./cron.ts";
import type { Log } from "./log.ts";
import { demandFree } from "./port.ts";
import { findLostWork, recoverWork } from "./recovery.ts";
import { guardRuntime } from "./runtime-guard.ts";
import type { Runtime } from "./runtime.ts";
import type { LocalSettings } from "./settings.ts";
import { lockState } from "./state-lock.ts";

/**
 * The runtime keeps queues in memory. The longest waits a second for a batch to fill (`max_batch_timeout` in
 * wrangler.toml): after this the lists have what was told to them.
 */
const QUEUE_FLUSH_MS = 1_100;

/** An engine that serves on this machine. */
export interface LocalServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** How many objects of an earlier process were told to go on. */
  readonly recovered: number;
  readonly started_in_ms: number;
  readonly stop: () => Promise<void>;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const callScheduled = async (runtime: Runtime, at: Date, log: Log): Promise<void> => {
  try {
    await runtime.runScheduled(at, CRON);
  } catch (error) {
    log.write("error", "the scheduled handler failed", { reason: reasonOf(error) });
  }
};

const loadLibraries = async () => ({ ...(await import("./runtime.ts")), ...(await import("./migrations.ts")) });

/**
 * Builds the Worker while the libraries load, which takes as long: together they are most of the time a start takes, and
 * a run that lost its driver waits for it.
 */
const prepare = (root: string) => {
  enableCompileCache();
  return Promise.all([buildBundles(root), loadLibraries()]);
};

/**
 * Starts the engine: builds the Worker, serves it with durable state, and lets every run that an earlier process left
 * behind go on at once. Throws a `LocalProblem` for what the person at the terminal can put right.
 */
export const startServer = async (settings: LocalSettings, log: Log): Promise<LocalServer> => {
  const startedAt = performance.now();
  await demandFree(settings.host, settings.port);
  const lock = lockState(settings.state);
  const guard = guardRuntime();
  try {
    const [bundles, { readProject, startRuntime, withControl, isMigrated, applyMigrations }] = await prepare(
      settings.root,
    );
    const project = readProject(settings.root);
    const migrations = join(settings.root, "migrations");
    // Before anything is served: nobody is to find a database without its tables.
    if (!isMigrated(migrations, settings.state))
      await withControl({ project, settings, bundles, log }, (ask) => applyMigrations(migrations, ask, log));
    const findLost = () => findLostWork({ state: settings.state, worker: project.name, classes: project.classes }, log);
    // Before the runtime runs: from then on its own drivers are at work too.
    const lost = findLost();
    const runtime = await startRuntime({
      project,
      settings,
      bundles,
      log,
      onRestart: async () => {
        const { unfinished, recent } = findLost();
        const recovered = await recoverWork([...unfinished, ...recent], runtime.ask, log);
        log.write("warn", "the runtime had crashed and runs again", { recovered });
      },
    });
    const recovered = await recoverWork(lost.unfinished, runtime.ask, log);
    // Lists may lag, so nobody has to wait for this.
    recoverWork(lost.recent, runtime.ask, log).catch((error: unknown) =>
      log.write("warn", "the lists may lack what happened last", { reason: reasonOf(error) }),
    );
    const cron = startCron((at) => callScheduled(runtime, at, log));
    return {
      url: runtime.url,
      recovered,
      started_in_ms: Math.round(performance.now() - startedAt),
      stop: async () => {
        cron.stop();
        await sleep(QUEUE_FLUSH_MS);
        await runtime.stop();
        guard.release();
        lock.release();
      },
    };
  } catch (error) {
    guard.release();
    lock.release();
    throw error;
  }
};

/** Where the dashboard is, when it was built. */
export const dashboardOf = (root: string, url: string): string | null =>
  existsSync(join(root, "public/index.html")) ? `${url}/` : null;

/** A path as the person at the terminal would write it. */
export const shown = (root: string, path: string): string => {
  const short = relative(root, path);
  return short.startsWith("..") ? path : short;
};
