import type { HandlerOutcome } from "../engine/trigger/handler.ts";
import { runTask, type TaskCall } from "../executor/handlers/pool-task.ts";
import { functions } from "../functions.ts";

/** Carries out a task of a pool with what this deployment has registered. */
export const performTask = (env: object, call: TaskCall, signal: AbortSignal): Promise<HandlerOutcome> =>
  runTask(call, { env: env as never, functions }, signal);
