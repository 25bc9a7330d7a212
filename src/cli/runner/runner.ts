import { randomUUID } from "node:crypto";
import type { Log } from "../log.ts";
import { backoff, pause } from "../pause.ts";
import { CliProblem, reasonOf } from "../problem.ts";
import { carryOut, type ClaimedJob, type Verdict, type Workshop } from "./job.ts";
import { isRefusal, type QueueServer } from "./server.ts";

/**
 * How long a claim waits for a job. The server does not always notice that nobody waits any more, and would hand a job to
 * a runner that has gone: so a claim waits briefly, and a runner that is stopped waits for the claim's answer.
 */
const WAIT_MS = 5_000;

/** The same for a runner that takes one job at most, and ends when there is none. */
const ONCE_WAIT_MS = 20_000;

/** Between two claims that answered at once that there is nothing. */
const EMPTY_MS = 1_000;

/** How long the last words to the server may take when the runner was told to end at once. */
const LAST_WORDS_MS = 5_000;

/** How a runner works through its queue. */
export interface RunnerOptions {
  readonly server: QueueServer;
  readonly workshop: Workshop;
  readonly log: Log;
  readonly concurrency: number;
  /** How long running jobs may go on after `stop`. */
  readonly grace_ms: number;
  /** One job at most. */
  readonly once: boolean;
}

const describe = (verdict: Verdict): Readonly<Record<string, string | number | boolean>> => {
  switch (verdict.type) {
    case "ack": {
      const { exit_status, timed_out } = verdict.result;
      return { exit_status: Number(exit_status), ...(timed_out === true ? { timed_out } : {}) };
    }
    case "fail":
      return { error: verdict.error, retry: verdict.retry };
    case "release":
      return { reason: verdict.reason };
  }
};

const WORDS = { ack: "done", fail: "not done", release: "given back" } as const;

/** Claims jobs and executes them until it is stopped (spec/workers 5, 22.5). */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #stopping = new AbortController();
  readonly #ending = new AbortController();
  readonly #lastWords = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  #timers: readonly NodeJS.Timeout[] = [];

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Works until it is stopped, or `once` is done. Throws a `CliProblem` when the server refuses to hand out jobs. */
  async run(): Promise<void> {
    try {
      await this.#claimJobs();
    } finally {
      // Without an end to the last words an end of the runner could wait for a server that does not answer.
      const silenced = new Promise((resolve) => this.#lastWords.signal.addEventListener("abort", resolve));
      await Promise.race([Promise.all(this.#running), silenced]);
      for (const timer of this.#timers) clearTimeout(timer);
    }
  }

  /** Claims nothing more and lets what runs come to its end, for as long as the grace lasts. */
  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#timers = [...this.#timers, setTimeout(() => this.end(), this.#options.grace_ms)];
  }

  /** Ends what runs and gives the jobs back. */
  end(): void {
    if (this.#ending.signal.aborted) return;
    this.#stopping.abort();
    this.#ending.abort();
    this.#timers = [...this.#timers, setTimeout(() => this.#lastWords.abort(), LAST_WORDS_MS)];
  }

  async #claimJobs(): Promise<void> {
    const { once, concurrency } = this.#options;
    const stopping = this.#stopping.signal;
    while (!stopping.aborted) {
      if (this.#running.size >= concurrency) {
        await Promise.race(this.#running);
        continue;
      }
      const askedAt = performance.now();
      const job = await this.#claim();
      if (job !== null) this.#take(job);
      if (once) return;
      if (job === null && performance.now() - askedAt < EMPTY_MS) await pause(backoff(3), stopping);
    }
  }

  async #claim(): Promise<ClaimedJob | null> {
    const { server, once } = this.#options;
    const stopping = this.#stopping.signal;
    const key = randomUUID();
    for (let attempt = 1; !stopping.aborted; attempt += 1) {
      try {
        return await server.claim(key, once ? ONCE_WAIT_MS : WAIT_MS, this.#ending.signal);
      } catch (thrown) {
        if (stopping.aborted) break;
        if (isRefusal(thrown)) throw new CliProblem(`The server refuses to hand out jobs: ${reasonOf(thrown)}`);
        if (once) throw new CliProblem(`The server cannot be reached: ${reasonOf(thrown)}`);
        server.tellUnreachable(thrown);
        await pause(backoff(attempt), stopping);
      }
    }
    // The claim whose answer was lost may have been given a job.
    return server.claim(key, 0, this.#ending.signal).catch(() => null);
  }

  /** Executes a job; one that came when the runner was told to stop is given back untouched. */
  #take(job: ClaimedJob): void {
    const isTooLate = this.#stopping.signal.aborted;
    const verdict = { type: "release", reason: "the runner was stopped" } as const;
    const answered = isTooLate ? this.#options.server.settle(job, verdict, this.#lastWords.signal) : this.#work(job);
    const work: Promise<unknown> = answered.finally(() => this.#running.delete(work));
    this.#running.add(work);
  }

  async #work(job: ClaimedJob): Promise<void> {
    const { server, workshop, log } = this.#options;
    const fields = { job: job.job_id };
    const lost = new AbortController();
    const settled = new AbortController();
    const startedAt = performance.now();
    log("info", "job claimed", fields);
    void server.keep(job, settled.signal, () => {
      log("warn", "the claim is lost: the command is ended", fields);
      lost.abort();
    });
    const verdict = await carryOut(job, workshop, AbortSignal.any([lost.signal, this.#ending.signal]));
    // Somebody else has the job: there is nothing to say.
    const told = !lost.signal.aborted && (await server.settle(job, verdict, this.#lastWords.signal));
    settled.abort();
    const duration_ms = Math.round(performance.now() - startedAt);
    if (told)
      log(verdict.type === "fail" ? "warn" : "info", `job ${WORDS[verdict.type]}`, {
        ...fields,
        ...describe(verdict),
        duration_ms,
      });
  }
}
