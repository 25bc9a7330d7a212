import type { HandlerOutcome } from "../../engine/trigger/handler.ts";
import type { Json } from "../../lib/json.ts";
import type { FunctionContext, FunctionRegistry } from "../../ports/functions.ts";
import type { ModelEnv } from "../../ports/model-env.ts";
import { startDeadline } from "../deadline.ts";
import { flawOf } from "../function.ts";
import { createRedactor } from "../redaction.ts";
import { failed, reasonOf, succeeded } from "./outcome.ts";

/** A task of a pool that somebody has claimed, as far as carrying it out needs it. */
export interface TaskCall {
  readonly task_id: string;
  readonly pool: string;
  readonly handler: string;
  readonly args: Json;
  readonly timeout_ms: number;
  readonly attempt: number;
}

/** What a task reaches of its deployment. */
export interface TaskSurroundings {
  readonly env: ModelEnv;
  readonly functions: FunctionRegistry;
}

const contextOf = ({ task_id, pool, attempt }: TaskCall, signal: AbortSignal): FunctionContext => ({
  run_id: task_id,
  stage_id: task_id,
  node_id: pool,
  attempt,
  idempotency_key: task_id,
  signal,
});

const called = async (
  call: TaskCall,
  { env, functions }: TaskSurroundings,
  signal: AbortSignal,
): Promise<HandlerOutcome> => {
  const handler = functions.find(call.handler);
  if (handler === undefined) {
    const known = functions.names.join(", ") || "none";
    return failed("not_implemented", `no function "${call.handler}" is registered; registered: ${known}`);
  }
  const returned: unknown = await handler(call.args, contextOf(call, signal));
  const value = returned === undefined ? null : returned;
  const flaw = flawOf(value, "result", 0);
  if (flaw === undefined) return succeeded(createRedactor(env).json(value as Json));
  return failed("local", `function "${call.handler}" returned what JSON cannot carry: ${flaw}`, false);
};

/**
 * Carries out a task of a pool: calls the function it names within its time (spec/workers 26.4). It never throws; aborted,
 * the call ends as cancelled, and what it has done stays done.
 */
export const runTask = async (
  call: TaskCall,
  around: TaskSurroundings,
  signal: AbortSignal,
): Promise<HandlerOutcome> => {
  if (signal.aborted) return failed("cancelled", "the task was given to somebody else");
  const deadline = startDeadline(call.timeout_ms, signal);
  const outcome = await Promise.race([called(call, around, deadline.signal()), deadline.expired]).catch(
    (thrown: unknown) => failed("local", reasonOf(thrown)),
  );
  const ending = deadline.ending();
  deadline.stop();
  if (ending === "timeout") return failed("timeout", `task timed out after ${call.timeout_ms} ms`);
  if (ending === "cancelled") return failed("cancelled", "the task was given to somebody else");
  return outcome.type === "succeeded" ? outcome : { ...outcome, error: createRedactor(around.env).text(outcome.error) };
};
