import type { Json, JsonObject } from "../../lib/json.ts";
import type { Result } from "../../lib/result.ts";
import type { ToolCallRecord } from "../../schema/agent-step.ts";
import type { AgentLoopOptions } from "../../schema/agent-loop.ts";
import type { LlmUsage } from "../../schema/plan.ts";
import { answeredCall, type AskedCall, callsOf, isToolResult, textOf } from "./messages.ts";
import { hasSentinel, isVerified, nudgeText, succeeded } from "./sentinel.ts";

/**
 * What an agent loop does next, told from its messages alone (spec/workflow 1.4, 6.8):
 *
 *   nothing said yet ............... the first turn, with the prompt
 *   calls without an answer ........ those calls
 *   all calls answered ............. finish, by a tool that stops or by the sentinel; else the next turn
 *   a turn of text alone ........... finish, repair, nudge or give up
 *
 * So a loop that was interrupted goes on where its record ends.
 */
export type Move =
  | { readonly type: "turn"; readonly prelude: readonly JsonObject[] }
  | { readonly type: "calls"; readonly calls: readonly AskedCall[] }
  | Finish;

/** The end of a loop. */
export interface Finish {
  readonly type: "finish";
  readonly status: "done" | "stuck" | "budget_exhausted" | "failed";
  /** Which limit was reached. */
  readonly limit?: "iterations" | "tokens" | "cost";
  readonly data?: Json;
  /** Why the answer is not what the schema asks for, after the last repair. */
  readonly mismatch?: readonly string[];
}

/** What the next move depends on. */
export interface LoopState {
  readonly prompt: string;
  readonly own: readonly JsonObject[];
  readonly tool_calls: readonly ToolCallRecord[];
  readonly usage: LlmUsage;
  readonly iterations: number;
}

/** The rules of a loop. */
export interface LoopRules {
  readonly options: AgentLoopOptions;
  readonly output?: {
    readonly retries: number;
    readonly read: (text: string) => Result<Json, readonly string[]>;
    readonly repair: (errors: readonly string[]) => string;
  };
}

const userMessage = (content: string, purpose?: string): JsonObject => ({
  role: "user",
  content,
  ...(purpose === undefined ? {} : { purpose }),
});

/** The next move of a loop; pure. */
export const nextMove = (state: LoopState, rules: LoopRules): Move => {
  const { own, iterations } = state;
  const at = own.findLastIndex(({ role }) => role === "assistant");
  if (at < 0) return turn(state, rules, iterations > 0 || own.length > 0 ? [] : [userMessage(state.prompt)]);
  const last = own[at] as JsonObject;
  const since = own.slice(at + 1);
  const answered = new Set(since.filter(isToolResult).map(answeredCall));
  const calls = callsOf(last);
  const open = calls.filter(({ id }) => !answered.has(id));
  if (open.length > 0) return { type: "calls", calls: open };
  if (calls.length > 0) return afterCalls(state, rules, last);
  // Somebody spoke since: the model has to see it, whatever it thought of its own answer.
  if (since.some(({ role }) => role === "user")) return turn(state, rules, []);
  return afterText(state, rules, last);
};

const over = (limit: NonNullable<Finish["limit"]>): Move => ({ type: "finish", status: "budget_exhausted", limit });

const turn = (state: LoopState, { options }: LoopRules, prelude: readonly JsonObject[]): Move => {
  const { usage, iterations } = state;
  const { max_total_tokens: tokens, max_cost_usd: cost } = options;
  if (iterations >= options.max_iterations) return over("iterations");
  if (tokens !== null && usage.input_tokens + usage.output_tokens >= tokens) return over("tokens");
  if (cost !== null && usage.total_cost >= cost) return over("cost");
  return { type: "turn", prelude };
};

/** `failed` where none of the tools that had to succeed did. */
const done = ({ tool_calls: calls }: LoopState, { options }: LoopRules, data?: Json): Move => {
  const required = options.require_successful_tools;
  const met = required.length === 0 || required.some((name) => succeeded(calls, name));
  return { type: "finish", status: met ? "done" : "failed", ...(data === undefined ? {} : { data }) };
};

const afterCalls = (state: LoopState, rules: LoopRules, last: JsonObject): Move => {
  const { options, output } = rules;
  const ids = new Set(callsOf(last).map(({ id }) => id));
  const ofTurn = state.tool_calls.filter(({ call_id }) => ids.has(call_id));
  const stops = options.stop_after_successful_tools.some((name) => succeeded(ofTurn, name));
  if (stops && output === undefined) return done(state, rules);
  const said = textOf(last);
  if (output === undefined && hasSentinel(said, options) && isVerified(state.tool_calls, options))
    return done(state, rules);
  return turn(state, rules, []);
};

/** Turns of text alone since the last tool call. */
const textTurns = (own: readonly JsonObject[]): number => {
  const assistants = own.filter(({ role }) => role === "assistant");
  const lastActing = assistants.findLastIndex((message) => callsOf(message).length > 0);
  return assistants.slice(lastActing + 1).length;
};

/** True when the turn says that the work is complete: by the sentinel, or by an answer where there is no sentinel. */
const wantsToFinish = (said: string, { options, output }: LoopRules): boolean => {
  const { done_sentinel: sentinel, turn_policy: policy } = options;
  if (sentinel !== "") return hasSentinel(said, options);
  return said.trim() !== "" && (output !== undefined || !policy.require_action_or_yield);
};

const afterText = (state: LoopState, rules: LoopRules, last: JsonObject): Move => {
  const { options, output } = rules;
  const said = textOf(last);
  const wants = wantsToFinish(said, rules);
  const verified = isVerified(state.tool_calls, options);
  if (wants && verified) {
    if (output === undefined) return done(state, rules);
    const read = output.read(said);
    if (read.ok) return done(state, rules, read.value);
    const repairs = state.own.filter(({ purpose }) => purpose === "repair").length;
    if (repairs >= output.retries) return { type: "finish", status: "failed", mismatch: read.error };
    return turn(state, rules, [userMessage(output.repair(read.error), "repair")]);
  }
  if (textTurns(state.own) > options.max_nudges) return { type: "finish", status: "stuck" };
  return turn(state, rules, [userMessage(nudgeText(options, { said, unverified: wants && !verified }), "nudge")]);
};
