import type { Answer } from "../../engine/machine.ts";
import type { JobReply, JobRequest } from "../../engine/work-queue/job.ts";
import type { FunctionRegistry } from "../../ports/functions.ts";
import type { ModelEnv } from "../../ports/model-env.ts";

/** Where remote agents send the end of a task that they have not finished at once (spec/triggers 11.2). */
export interface A2aPush {
  readonly url: string;
  readonly token?: string | undefined;
}

/** Everything a handler's call reaches of the outside. */
export interface HandlerPorts {
  readonly env: ModelEnv;
  readonly fetcher: typeof fetch;
  readonly functions: FunctionRegistry;
  /** Puts a job into a queue of the event's tenant; the same id with the same request is the same job. */
  readonly enqueue: (queue: string, request: JobRequest) => Promise<Answer<JobReply>>;
  /** The moment in milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly a2a_push?: A2aPush | undefined;
}

/** The same, for a call that is under way. */
export interface CallSurroundings extends HandlerPorts {
  /** Ends with the call's time, or when it is cancelled. */
  readonly signal: AbortSignal;
}
