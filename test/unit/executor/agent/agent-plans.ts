import type { JsonObject } from "../../../../src/lib/json.ts";
import { isObject } from "../../../../src/lib/json.ts";
import type { ExecutorConfig } from "../../../../src/ports/executor.ts";
import { type AgentStep, AttemptLost, type StageJournal } from "../../../../src/ports/stage-journal.ts";
import type { ToolHandler } from "../../../../src/ports/tools.ts";
import { createExecutor } from "../../../../src/executor/executor.ts";
import { named as createToolRegistry } from "../../../../src/executor/registry.ts";
import type { StagePlan, StageResult } from "../../../../src/schema/plan.ts";
import { configOf, planOf } from "../plans.ts";

/** A journal that keeps what is recorded, and loses its attempt after so many steps. */
export const journalOf = (limit = Number.POSITIVE_INFINITY) => {
  const steps: AgentStep[] = [];
  const deltas: { readonly iteration: number; readonly text: string }[] = [];
  const journal: StageJournal = {
    record: async (step) => {
      if (steps.length >= limit) throw new AttemptLost();
      steps.push(JSON.parse(JSON.stringify(step)) as AgentStep);
    },
    stream: (delta) => void deltas.push(delta),
  };
  return { steps, deltas, journal };
};

/** The plan as a run gives it again after these steps. */
export const resumed = (plan: StagePlan, steps: readonly AgentStep[], fields: Partial<StagePlan> = {}): StagePlan => {
  const before = plan.session?.messages ?? [];
  const used = steps.flatMap(({ usage }) => (usage === undefined ? [] : [usage]));
  const total = (key: "input_tokens" | "output_tokens" | "call_count" | "total_cost") =>
    used.reduce((sum, usage) => sum + usage[key], 0);
  return {
    ...plan,
    attempt: plan.attempt + 1,
    session: { id: "session-1", messages: [...before, ...steps.flatMap(({ messages = [] }) => messages)] },
    progress: {
      steps: steps.length,
      iterations: Math.max(0, ...steps.map(({ iteration }) => iteration)),
      tool_calls: steps.flatMap(({ tool_call }) => (tool_call === undefined ? [] : [tool_call])),
      usage: {
        input_tokens: total("input_tokens"),
        output_tokens: total("output_tokens"),
        call_count: total("call_count"),
        total_cost: total("total_cost"),
        total_duration_ms: 0,
        models: [...new Set(used.flatMap(({ models }) => models))],
      },
      messages_from: before.length,
    },
    ...fields,
  };
};

/** A tool that counts its calls by their idempotency key. */
export const countingTool = (made: string[], execute: ToolHandler["execute"] = (args) => args): ToolHandler => ({
  description: "does something",
  parameters: { type: "object" },
  execute: (args, context) => {
    made.push(context.idempotency_key);
    return execute(args, context);
  },
});

/** A plan of an agent stage that a script drives. */
export const scriptedAgent = (
  replies: readonly JsonObject[],
  options: JsonObject = {},
  fields: Partial<StagePlan> = {},
): StagePlan => {
  const { tools = [{ name: "work" }], ...rest } = options;
  return planOf({
    mode: "agent",
    prompt: "Do the work",
    llm_options: { provider: "scripted" },
    agent_loop_options: { tools, llm_backoff_ms: 1, tool_backoff_ms: 1, ...rest },
    script: { replies },
    ...fields,
  });
};

/** A reply of a script in one turn. */
export const reply = (
  turn: number,
  text: string,
  ...calls: readonly (readonly [string, JsonObject?])[]
): JsonObject => ({
  when: { turn },
  text,
  ...(calls.length === 0 ? {} : { tool_calls: calls.map(([name, given]) => ({ name, arguments: given ?? {} })) }),
});

/** Runs a plan with these tools to its end. */
export const runAgent = async (
  plan: StagePlan,
  tools: Readonly<Record<string, ToolHandler>> = {},
  config: Partial<ExecutorConfig> & { readonly journal?: StageJournal; readonly signal?: AbortSignal } = {},
): Promise<StageResult> => {
  const { journal, signal = new AbortController().signal, ...rest } = config;
  return createExecutor(configOf({ tools: createToolRegistry(tools), ...rest })).execute(plan, signal, journal);
};

/** What the tools answered, in order, as the model saw it. */
export const toolAnswers = (steps: readonly AgentStep[]): readonly string[] =>
  steps
    .flatMap(({ messages = [] }) => messages)
    .filter((message) => isObject(message) && message["role"] === "tool_result")
    .map((message) => String(message["content"]));
