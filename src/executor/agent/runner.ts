import { NO_APPROVAL_RULES } from "../../engine/policy/approval.ts";
import { policyFromTools } from "../../engine/policy/tools.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { StageFailure } from "../../ports/stage-failure.ts";
import { type AgentLoopOptions, decodeAgentLoopOptions } from "../../schema/agent-loop.ts";
import type { StagePlan } from "../../schema/plan.ts";
import { decodeApprovalPolicy, decodeCapabilityPolicy } from "../../schema/policy.ts";
import { decodeToolHooks } from "../../schema/tool-hook.ts";
import { compactConversation } from "../compaction.ts";
import { type ModelSource, openSource } from "../model-source.ts";
import { journalFailure } from "../record-step.ts";
import type { Runner, RunnerContext, StageOutcome } from "../runner.ts";
import { readStructured, repairText, type StructuredOutput, structuredOutputOf } from "../structured-output.ts";
import { openConversation } from "./conversation.ts";
import { coveringServers } from "./gate.ts";
import { type AgentHooks, type AgentLoop, runLoop } from "./loop.ts";
import type { LoopRules } from "./next-move.ts";
import { restResult } from "./result.ts";
import { withoutSentinel } from "./sentinel.ts";
import { toolEntries } from "./tools/declaration.ts";
import { ToolServerFault } from "./tools/mcp.ts";
import { openToolset } from "./tools/toolset.ts";

/** A runner of agent stages with these hooks (spec/workflow 1.4, 4.5, 6.8, 10.7). */
export const createAgentRunner = (hooks: AgentHooks): Runner => ({
  run: async (plan, context) => {
    const settings = readSettings(plan, context);
    return settings.ok ? runAgent(settings.value, plan, { context, hooks }) : settings;
  },
  explain: (thrown) => explain(thrown),
});

/** The runner of agent stages. */
export const agentRunner: Runner = createAgentRunner({ compact: compactConversation });

type Settings = Pick<AgentLoop, "prompt" | "options" | "output" | "source" | "policy" | "approval" | "tool_hooks">;

const invalid = (message: string): Result<never, StageFailure> => err({ category: "schema_validation", message });

/** Everything that can be wrong with a plan, found before anything is opened or paid for. */
const readSettings = (plan: StagePlan, context: RunnerContext): Result<Settings, StageFailure> => {
  const { prompt } = plan;
  if (prompt === undefined) return invalid("the plan has no prompt");
  const options = decodeAgentLoopOptions(plan.agent_loop_options);
  if (!options.ok) return invalid(options.error);
  const policies = readPolicies(plan);
  if (!policies.ok) return policies;
  const hooks = decodeToolHooks(plan.agent_loop_options?.["tool_hooks"] ?? []);
  if (!hooks.ok) return invalid(hooks.error.message);
  const output = structuredOutputOf(plan);
  if (!output.ok) return output;
  const source = openSource(plan, context);
  if (!source.ok) return source;
  const unpriced = unpricedRefusal(options.value, source.value);
  if (unpriced !== undefined) return err(unpriced);
  return ok({
    prompt,
    options: options.value,
    output: output.value,
    source: source.value,
    tool_hooks: hooks.value,
    ...policies.value,
  });
};

const readPolicies = (plan: StagePlan): Result<Pick<AgentLoop, "policy" | "approval">, StageFailure> => {
  const { policy, approval_policy: approval } = plan.agent_loop_options ?? {};
  const ceiling = decodeCapabilityPolicy(policy ?? policyFromTools(toolEntries(plan)));
  if (!ceiling.ok) return invalid(ceiling.error.message);
  const rules = decodeApprovalPolicy(approval ?? NO_APPROVAL_RULES, "approval_policy");
  if (!rules.ok) return invalid(rules.error.message);
  return ok({ policy: ceiling.value, approval: rules.value });
};

/** A limit on money means nothing where no price is known; so it is refused instead of ignored. */
const unpricedRefusal = (options: AgentLoopOptions, source: ModelSource): StageFailure | undefined => {
  if (options.max_cost_usd === null || source.priced) return undefined;
  const message = `max_cost_usd needs the price of ${source.provider}/${source.model}: name it in GODWIT_MODEL_PRICES`;
  return { category: "generic", message };
};

const runAgent = async (
  settings: Settings,
  plan: StagePlan,
  { context, hooks }: { readonly context: RunnerContext; readonly hooks: AgentHooks },
): Promise<StageOutcome> => {
  const toolset = await openToolset(plan, context);
  if (!toolset.ok) return toolset;
  const conversation = openConversation(plan, context.journal, context.redactor);
  const rules = rulesOf(settings.options, settings.output);
  const policy = coveringServers(settings.policy, [...toolset.value.tools.values()]);
  const loop = { ...settings, policy, plan, rules, toolset: toolset.value, conversation, context, hooks };
  const rest = await runLoop(loop).finally(toolset.value.close);
  return rest.ok ? restResult(loop, rest.value) : rest;
};

const rulesOf = (options: AgentLoopOptions, output: StructuredOutput | undefined): LoopRules => ({
  options,
  ...(output === undefined
    ? {}
    : {
        output: {
          retries: output.retries,
          read: (text) => readStructured(output, withoutSentinel(text, options)),
          repair: repairText,
        },
      }),
});

const explain = (thrown: unknown): StageFailure => {
  const unrecorded = journalFailure(thrown);
  if (unrecorded !== undefined) return unrecorded;
  if (thrown instanceof ToolServerFault) return { category: "transient_network", message: thrown.message };
  // What a model call throws is a failure of its turn already; this is something else.
  const message = thrown instanceof Error && thrown.message !== "" ? thrown.message : "an unknown error";
  return { category: "generic", message: `the agent stage failed: ${message}` };
};
