import { Client, ProblemError } from "../../http/client.ts";
import type { Json } from "../../lib/json.ts";
import type { Log } from "../log.ts";
import { backoff, pause } from "../pause.ts";
import { reasonOf } from "../problem.ts";
import type { ClaimedJob, Verdict } from "./job.ts";

/** An answer that takes longer than this beside what it waits for is none. */
const ANSWER_MS = 30_000;

const MAX_ERROR_CHARACTERS = 2_000;

/** Which queue of which server a runner claims from. */
export interface ServerOptions {
  readonly url: string;
  readonly key: string;
  readonly tenant: string | null;
  readonly queue: string;
  readonly consumer_id: string;
  readonly ttl_ms: number;
  readonly log: Log;
}

/** Opens the API; each of its calls has an end. */
const openClient = ({ url, key, tenant }: ServerOptions): Client =>
  new Client({
    base_url: url,
    key,
    ...(tenant === null ? {} : { tenant }),
    fetch: (address, init) => {
      const bound = AbortSignal.timeout(ANSWER_MS);
      return fetch(address, { ...init, signal: init.signal ? AbortSignal.any([init.signal, bound]) : bound });
    },
  });

/** A refusal that another try does not change. */
export const isRefusal = (thrown: unknown): thrown is ProblemError =>
  thrown instanceof ProblemError && thrown.status < 500 && ![408, 425, 429].includes(thrown.status);

/** A claim that somebody else has now, or whose job is settled or gone. */
const isLost = (thrown: unknown): boolean =>
  thrown instanceof ProblemError && (thrown.code === "stale_attempt" || thrown.code === "job_not_found");

/** The queue of a runner, asked until it answers. */
export class QueueServer {
  readonly #client: Client;
  readonly #options: ServerOptions;
  #isUnreachable = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#client = openClient(options);
  }

  /** One claim; asked again under the same key it is the same claim (spec/triggers 16). */
  async claim(key: string, waitMs: number, signal?: AbortSignal): Promise<ClaimedJob | null> {
    const { queue, consumer_id, ttl_ms } = this.#options;
    const call = { idempotency_key: key, ...(signal === undefined ? {} : { signal }) };
    const { claim, job } = await this.#client.queues.claim(queue, { consumer_id, ttl_ms, wait_ms: waitMs }, call);
    this.#isReached();
    if (claim === null || job === null) return null;
    return { job_id: job.job_id, claim_id: claim.claim_id, payload: job.payload as Json };
  }

  /** Tells how a job went, again and again until there is an answer or the signal; whether the queue took it. */
  async settle(job: ClaimedJob, verdict: Verdict, signal: AbortSignal): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#tell(job, verdict);
        this.#isReached();
        return true;
      } catch (thrown) {
        if (isRefusal(thrown)) {
          const reason = reasonOf(thrown);
          this.#options.log("warn", "the queue did not take the answer", { job: job.job_id, reason });
          return false;
        }
        this.tellUnreachable(thrown);
      }
      if (signal.aborted) return false;
      await pause(backoff(attempt), signal);
    }
  }

  /** Renews a claim until `done`; calls `onLost` when the claim is somebody else's. */
  async keep(job: ClaimedJob, done: AbortSignal, onLost: () => void): Promise<void> {
    const { queue, ttl_ms } = this.#options;
    const between = ttl_ms / 3;
    let rest = between;
    for (let attempt = 0; ;) {
      await pause(rest, done);
      if (done.aborted) return;
      try {
        await this.#client.queues.renew(queue, job.job_id, { claim_id: job.claim_id, ttl_ms });
        this.#isReached();
        attempt = 0;
        rest = between;
      } catch (thrown) {
        if (done.aborted) return;
        if (isLost(thrown)) return onLost();
        this.tellUnreachable(thrown);
        attempt += 1;
        rest = Math.min(backoff(attempt), between);
      }
    }
  }

  /** Logs that the server does not answer, once until it does. */
  tellUnreachable(thrown: unknown): void {
    if (this.#isUnreachable) return;
    this.#isUnreachable = true;
    this.#options.log("warn", "the server does not answer, trying on", { reason: reasonOf(thrown) });
  }

  #isReached(): void {
    if (this.#isUnreachable) this.#options.log("info", "the server answers again");
    this.#isUnreachable = false;
  }

  #tell({ job_id: id, claim_id }: ClaimedJob, verdict: Verdict): Promise<unknown> {
    const { queues } = this.#client;
    const { queue } = this.#options;
    switch (verdict.type) {
      case "ack":
        return queues.ack(queue, id, { claim_id, result: verdict.result });
      case "fail": {
        const { retry } = verdict;
        return queues.fail(queue, id, { claim_id, error: verdict.error.slice(0, MAX_ERROR_CHARACTERS), retry });
      }
      case "release":
        return queues.release(queue, id, { claim_id, reason: verdict.reason });
    }
  }
}
