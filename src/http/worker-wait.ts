import type { JsonObject } from "../lib/json.ts";
import type { Call } from "./call.ts";
import { workerObject } from "./worker-object.ts";

/** What a caller waits for: that a worker is neither running nor awaiting, or that it has ended (spec/workers 8.4). */
export type WaitFor = "settled" | "ended";

const AT_WORK: Readonly<Record<WaitFor, ReadonlySet<unknown>>> = {
  settled: new Set(["running", "awaiting"]),
  ended: new Set(["running", "awaiting", "suspended"]),
};

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;

/** Asks a worker again and again until it has come that far or the time is over: nothing waits within the object. */
export const waitForWorker = async (
  call: Pick<Call, "env" | "tenant">,
  workerId: string,
  { until, timeout_ms: timeout }: { readonly until: WaitFor; readonly timeout_ms: number },
): Promise<{ readonly timed_out: boolean; readonly worker: JsonObject } | null> => {
  const end = Date.now() + timeout;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
    const worker = await workerObject(call.env, call.tenant, workerId).summary();
    if (worker === null) return null;
    const isAtWork = AT_WORK[until].has(worker["status"]);
    const left = end - Date.now();
    if (!isAtWork || left <= 0) return { timed_out: isAtWork, worker };
    await scheduler.wait(Math.min(pause, left));
  }
};
