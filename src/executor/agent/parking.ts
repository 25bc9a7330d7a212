import type { Json } from "../../lib/json.ts";
import { err, type Result } from "../../lib/result.ts";
import type { AskedSuspension } from "../../schema/resume-conditions.ts";
import type { AgentLoop } from "./loop.ts";
import type { AskedCall } from "./messages.ts";
import { type Answered, failed, recordAnswer } from "./tool-call.ts";
import { askedSuspension, AWAIT_RESUMPTION } from "./tools/await-resumption.ts";

/** True for a call with which the agent parks its own worker; it needs no permission and passes no hook (spec/workers 17.7). */
export const isParking = ({ plan }: AgentLoop, { name }: AskedCall): boolean =>
  plan.worker_id !== undefined && name === AWAIT_RESUMPTION;

const ONCE = `${AWAIT_RESUMPTION}: one call in a turn is enough`;

const readCall = (call: AskedCall): Result<AskedSuspension, string> =>
  call.invalid === undefined ? askedSuspension(call.arguments) : err("the arguments are not a JSON object");

const answered = ({ plan, conversation }: AgentLoop, asked: Result<AskedSuspension, string>) => {
  const iteration = conversation.iterations();
  if (!asked.ok) return { iteration, answer: failed("schema_validation", asked.error) };
  const { reason, conditions } = asked.value;
  const result = {
    status: "suspended",
    handle: plan.worker_id ?? null,
    reason,
    initiator: "self",
    conditions: conditions as Json,
    iterations_completed: iteration,
  };
  return { iteration, answer: { status: "ok", result }, suspend: asked.value } satisfies Omit<Answered, "startedAt">;
};

/**
 * Answers the calls of a turn with which the agent parks its worker, when every other one has its answer. The first of them does
 * it, as the last step before the worker rests: the run ends the attempt behind it, and a later one goes on.
 */
export const parkWorker = async (loop: AgentLoop, calls: readonly AskedCall[]): Promise<void> => {
  const [first, ...more] = calls.filter((call) => isParking(loop, call));
  if (first === undefined) return;
  for (const [call, asked] of [...more.map((each) => [each, err(ONCE)] as const), [first, readCall(first)] as const]) {
    loop.context.signal.throwIfAborted();
    await recordAnswer(loop, call, { ...answered(loop, asked), startedAt: loop.context.now() });
  }
};
