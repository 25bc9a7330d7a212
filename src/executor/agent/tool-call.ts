import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { rfc3339 } from "../../lib/time.ts";
import { categoryOfStatus } from "../../llm/http-status.ts";
import { NetworkFault } from "../../llm/network.ts";
import { microcompact } from "../../engine/artifact/microcompact.ts";
import type { StageFailure } from "../../ports/stage-failure.ts";
import type { PendingToolCall, ToolCallRecord } from "../../schema/agent-step.ts";
import type { AskedSuspension } from "../../schema/resume-conditions.ts";
import { toolResultMessage } from "../../engine/transcript/message.ts";
import { startDeadline } from "../deadline.ts";
import { isRetryable } from "../failure.ts";
import { thrownFailure } from "../function.ts";
import { schemaErrors } from "../json-schema.ts";
import { afterCall } from "./hooks.ts";
import type { AgentLoop } from "./loop.ts";
import { repetitionOf } from "./loop-detection.ts";
import type { AskedCall } from "./messages.ts";
import type { AgentTool, ToolOutcome } from "./tools/tool.ts";
import { judge } from "./verdict.ts";
import { backoffMs, waitFor } from "./waiting.ts";

/** What came of a call, before it is recorded. */
export interface CallAnswer {
  readonly status: ToolCallRecord["status"];
  readonly result: Json;
  readonly category?: string;
  /** Told to the model after the result. */
  readonly note?: string;
}

/** Answers one tool call and records the answer, or hands back what the call has to wait for (spec/workflow 10.7). */
export const answerCall = async (loop: AgentLoop, asked: AskedCall): Promise<PendingToolCall | undefined> => {
  const { context, conversation } = loop;
  context.signal.throwIfAborted();
  const iteration = conversation.iterations();
  const startedAt = context.now();
  const verdict = await judge(loop, asked);
  if (verdict.type === "pending") {
    const { reason, arguments: args, request } = verdict;
    const waiting = { call_id: asked.id, tool_name: asked.name, arguments: args, reason, iteration };
    return { ...waiting, ...(request === undefined ? {} : { request }) };
  }
  const call = verdict.type === "allowed" ? { ...asked, arguments: verdict.arguments } : asked;
  const answer = verdict.type === "allowed" ? await dispatch(loop, call, verdict.tool) : verdict.answer;
  // A call that was cut off has no answer: the next attempt makes it again, under the same key.
  context.signal.throwIfAborted();
  await recordAnswer(loop, call, { answer, iteration, startedAt });
  return undefined;
};

/** The answer to a call that went wrong. */
export const failed = (category: string, message: string): CallAnswer => ({
  status: "error",
  category,
  result: { error: category, message },
});

const dispatch = async (loop: AgentLoop, call: AskedCall, tool: AgentTool): Promise<CallAnswer> => {
  const flaws = tool.checks_arguments === true ? [] : schemaErrors(tool.parameters, call.arguments);
  if (flaws.length > 0) return failed("schema_validation", `the arguments do not match: ${flaws.join("; ")}`);
  const repetition = repetitionOf(call, loop.conversation.tool_calls(), loop.options);
  if (repetition.type === "refused") {
    const result = { error: "loop_detected", reason: repetition.reason };
    return { status: "rejected", category: "tool_rejected", result };
  }
  const outcome = await callPatiently(loop, call, tool);
  const note = repetition.type === "warned" ? { note: repetition.note } : {};
  const told = outcome.ok ? await resultAfter(loop, call, outcome.value) : outcome;
  if (told.ok) return { status: "ok", result: told.value, ...note };
  const { category, message } = told.error;
  return { ...failed(category, loop.context.redactor.text(message)), ...note };
};

/** What the hooks after a call leave of its result. Where they do not work nothing of it is told: it was called all the same. */
const resultAfter = async (loop: AgentLoop, call: AskedCall, value: Json): Promise<ToolOutcome> => {
  const result = loop.context.redactor.json(value);
  const told = await afterCall(loop, { tool: call.name, args: call.arguments }, result);
  if (told.ok) return told;
  return { ok: false, error: { category: "tool_error", message: `the result is withheld: ${told.error}` } };
};

/** Calls again after a failure that may pass, `tool_retries` times, under the same idempotency key. */
const callPatiently = async (loop: AgentLoop, call: AskedCall, tool: AgentTool): Promise<ToolOutcome> => {
  const { options, context } = loop;
  for (let tries = 1; ; tries += 1) {
    const outcome = await callOnce(loop, call, tool);
    if (outcome.ok || tries > options.tool_retries || !isRetryable(outcome.error)) return outcome;
    await waitFor(backoffMs(options.tool_backoff_ms, tries, outcome.error.retry_after_ms), context.signal);
  }
};

const callOnce = async ({ plan, context }: AgentLoop, call: AskedCall, tool: AgentTool): Promise<ToolOutcome> => {
  const limit = tool.timeout_ms ?? plan.timeout_ms;
  const deadline = startDeadline(limit, context.signal);
  const running = async (): Promise<ToolOutcome> => {
    const outcome = await tool.execute?.(call.arguments, {
      run_id: plan.run_id,
      stage_id: plan.stage_id,
      node_id: plan.node_id,
      attempt: plan.attempt,
      call_id: call.id,
      idempotency_key: keyOf(plan.stage_id, call),
      signal: deadline.signal(),
    });
    return outcome ?? { ok: false, error: { category: "not_found", message: "the tool has no handler" } };
  };
  return Promise.race([running(), deadline.expired])
    .catch((thrown: unknown): ToolOutcome => {
      context.signal.throwIfAborted();
      if (deadline.ending() === null) return { ok: false, error: explain(thrown, tool.name) };
      return { ok: false, error: { category: "timeout", message: `the tool did not answer within ${limit} ms` } };
    })
    .finally(() => deadline.stop());
};

const keyOf = (stageId: string, call: AskedCall): string => `${stageId}:${call.id}`;

/** What a tool threw, with its own category where it has one; decided by types and numbers, never by texts. */
const explain = (thrown: unknown, name: string): StageFailure => {
  const failure = thrownFailure(thrown, `tool "${name}"`);
  if (failure.category !== "generic") return failure;
  if (thrown instanceof NetworkFault) return { ...failure, category: "transient_network" };
  const status = thrown instanceof Error && "statusCode" in thrown ? thrown.statusCode : undefined;
  return { ...failure, category: typeof status === "number" ? categoryOfStatus(status) : "tool_error" };
};

/** An answer, and when it was sought. */
export interface Answered {
  readonly answer: CallAnswer;
  readonly iteration: number;
  readonly startedAt: number;
  /** What the worker is parked for behind the answer. */
  readonly suspend?: AskedSuspension;
}

/** Records the answer to a call as one step. */
export const recordAnswer = async (
  { plan, options, conversation, context }: AgentLoop,
  call: AskedCall,
  { answer, iteration, startedAt, suspend }: Answered,
): Promise<void> => {
  const whole = typeof answer.result === "string" ? answer.result : JSON.stringify(answer.result);
  const shown = microcompact(whole, options.tool_output_max_chars);
  const cut = shown.length < whole.length;
  const marks: JsonObject = {
    ...(answer.status === "ok" ? {} : { is_error: true }),
    ...(cut ? { truncated: true } : {}),
  };
  await conversation.record({
    iteration,
    messages: [toolResultMessage(call, answer.note === undefined ? shown : `${shown}\n${answer.note}`, marks)],
    tool_call: {
      call_id: call.id,
      tool_name: call.name,
      arguments: call.invalid === undefined ? call.arguments : { invalid: call.invalid },
      status: answer.status,
      result: cut ? (isObject(answer.result) ? { truncated: true, text: shown } : shown) : answer.result,
      duration_ms: Math.max(0, context.now() - startedAt),
      idempotency_key: keyOf(plan.stage_id, call),
      iteration,
      started_at: rfc3339(startedAt),
      ...(answer.category === undefined ? {} : { error_category: answer.category }),
    },
    ...(suspend === undefined ? {} : { suspend }),
  });
};
