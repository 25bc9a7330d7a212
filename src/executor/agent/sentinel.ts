import { isObject, type Json } from "../../lib/json.ts";
import type { AgentLoopOptions } from "../../schema/agent-loop.ts";
import type { ToolCallRecord } from "../../schema/agent-step.ts";

/** True when a turn says by the marker that the work is complete, and may say so (spec/workflow 1.3, 1.4). */
export const hasSentinel = (said: string, options: AgentLoopOptions): boolean =>
  options.done_sentinel !== "" && options.turn_policy.allow_done_sentinel && said.includes(options.done_sentinel);

/** A text without the marker. */
export const withoutSentinel = (text: string, { done_sentinel: sentinel }: AgentLoopOptions): string =>
  sentinel === "" || !text.includes(sentinel) ? text : text.replaceAll(sentinel, "").trim();

/** True when one of the calls of this tool went well. */
export const succeeded = (calls: readonly ToolCallRecord[], name: string): boolean =>
  calls.some((call) => call.tool_name === name && call.status === "ok");

const exitCode = (result: Json): Json | undefined => {
  if (!isObject(result)) return undefined;
  return result["exit_code"] ?? (isObject(result["data"]) ? result["data"]["exit_code"] : undefined);
};

/** False while `exit_when_verified` waits for the last call of the tool `run` to exit with 0 (spec/workflow 1.3). */
export const isVerified = (calls: readonly ToolCallRecord[], options: AgentLoopOptions): boolean => {
  if (!options.exit_when_verified) return true;
  const last = calls.findLast(({ tool_name }) => tool_name === "run");
  return last?.status === "ok" && exitCode(last.result) === 0;
};

/** What the model is told about the marker. */
export const sentinelInstructions = ({ done_sentinel: sentinel, turn_policy: policy }: AgentLoopOptions): string =>
  sentinel === "" || !policy.allow_done_sentinel
    ? ""
    : `When the task is complete, and only then, end your answer with ${sentinel}`;

/** What the model is told after a turn that neither acted nor finished. */
export const nudgeText = (
  options: AgentLoopOptions,
  turn: { readonly said: string; readonly unverified: boolean },
): string => {
  const { max_prose_chars: limit } = options.turn_policy;
  const parts = [options.nudge || "The task is not complete yet. Continue: call a tool, or finish the task."];
  if (turn.unverified) parts.push("The last run did not exit with 0, so the task cannot be finished: run it again.");
  if (options.nudge === "") parts.push(sentinelInstructions(options));
  if (typeof limit === "number" && turn.said.length > limit) parts.push(`Write at most ${limit} characters.`);
  return parts.filter((part) => part !== "").join(" ");
};
