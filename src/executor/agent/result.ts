import type { Json, JsonObject } from "../../lib/json.ts";
import { err, ok } from "../../lib/result.ts";
import type { StageOutcome } from "../runner.ts";
import { structuredFailure } from "../structured-output.ts";
import type { AgentLoop, Rest } from "./loop.ts";
import { reasoningText } from "./messages.ts";
import { withoutSentinel } from "./sentinel.ts";

/** The result of a loop that came to rest (spec/workflow 6.8, 8.5, 12.2). */
export const restResult = (loop: AgentLoop, rest: Rest): StageOutcome => {
  if (rest.type === "parked") {
    return ok({ __workflow_stage_parked: true, pending: rest.pending as unknown as readonly Json[] });
  }
  const { conversation, source } = loop;
  const usage = conversation.usage();
  const { status, limit, data, mismatch } = rest.finish;
  if (mismatch !== undefined) return err({ ...structuredFailure(mismatch), usage });
  return ok({
    status,
    ...textsOf(loop),
    ...(data === undefined ? {} : { data }),
    ...(limit === undefined ? {} : { exhausted: limit }),
    provider: source.provider,
    model: source.model,
    ...reasoningOf(loop),
    ...(rest.finish_reason === "" ? {} : { finish_reason: rest.finish_reason }),
    usage: usage as unknown as Json,
    tools: toolSummary(loop),
    trace: traceOf(loop),
  });
};

/** All turns as `text`, the last one as `visible_text` (spec/workflow 19, trap 21). */
const textsOf = ({ conversation, options }: AgentLoop): JsonObject => {
  const texts = conversation.texts().map((text) => withoutSentinel(text, options));
  return { text: texts.filter((text) => text !== "").join("\n"), visible_text: texts.at(-1) ?? "" };
};

const reasoningOf = ({ conversation }: AgentLoop): JsonObject => {
  const texts = conversation.own().map(reasoningText);
  const reasoning = texts.filter((text) => text !== "").join("\n");
  return reasoning === "" ? {} : { private_reasoning: reasoning };
};

const toolSummary = ({ conversation }: AgentLoop): JsonObject => {
  const calls = conversation.tool_calls();
  const successful = calls.filter(({ status }) => status === "ok").map(({ tool_name }) => tool_name);
  return {
    mode: "native",
    calls: calls.map(({ call_id, tool_name, status }) => ({ name: tool_name, call_id, status })),
    successful: [...new Set(successful)],
  };
};

const traceOf = ({ conversation }: AgentLoop): JsonObject => {
  const calls = conversation.tool_calls();
  const rejections = calls.filter(({ status }) => status === "rejected").length;
  return {
    iterations: conversation.iterations(),
    llm_calls: conversation.usage().call_count,
    tool_executions: calls.length - rejections,
    tool_rejections: rejections,
    interventions: conversation.own().filter(({ purpose }) => purpose !== undefined).length,
    compactions: conversation.compactions(),
    tools_used: [...new Set(calls.map(({ tool_name }) => tool_name))],
  };
};
