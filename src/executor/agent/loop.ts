import { NO_USAGE } from "../../engine/run/state.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { StageFailure } from "../../ports/stage-failure.ts";
import type { PendingToolCall } from "../../schema/agent-step.ts";
import type { AgentLoopOptions } from "../../schema/agent-loop.ts";
import type { CapabilityPolicy, ToolApprovalPolicy } from "../../schema/policy.ts";
import type { StagePlan } from "../../schema/plan.ts";
import type { ToolHook } from "../../engine/policy/tool-hooks.ts";
import type { NextCall, Shortening } from "../compaction.ts";
import type { ModelSource } from "../model-source.ts";
import type { RunnerContext } from "../runner.ts";
import type { StructuredOutput } from "../structured-output.ts";
import { addUsage } from "../usage.ts";
import type { Conversation } from "./conversation.ts";
import { type Finish, type LoopRules, nextMove } from "./next-move.ts";
import { isParking, parkWorker } from "./parking.ts";
import { answerCall } from "./tool-call.ts";
import type { Toolset } from "./tools/toolset.ts";
import { takeTurn } from "./turn.ts";

/** Shortens a conversation before a model call, where it is too long. */
export type Compact = (call: NextCall, context: RunnerContext) => Promise<Result<Shortening, StageFailure>>;

/** What of an agent loop can be exchanged. */
export interface AgentHooks {
  readonly compact?: Compact;
}

/** Everything an agent loop works with. */
export interface AgentLoop {
  readonly plan: StagePlan;
  readonly prompt: string;
  readonly options: AgentLoopOptions;
  readonly rules: LoopRules;
  readonly output: StructuredOutput | undefined;
  readonly source: ModelSource;
  readonly toolset: Toolset;
  readonly policy: CapabilityPolicy;
  readonly approval: ToolApprovalPolicy;
  readonly tool_hooks: readonly ToolHook[];
  readonly conversation: Conversation;
  readonly context: RunnerContext;
  readonly hooks: AgentHooks;
}

/** How a loop came to rest. */
export type Rest =
  | { readonly type: "finished"; readonly finish: Finish; readonly finish_reason: string }
  | { readonly type: "parked"; readonly pending: readonly PendingToolCall[] };

/**
 * Runs the loop until it ends or has to wait for somebody (spec/workflow 10.7).
 *
 * Every turn and every tool call is one recorded step, and what comes next is told from the record alone; so a loop that
 * was interrupted repeats at most the one step that was under way.
 */
export const runLoop = async (loop: AgentLoop): Promise<Result<Rest, StageFailure>> => {
  const { conversation, prompt, rules, context } = loop;
  let finishReason = "";
  for (;;) {
    context.signal.throwIfAborted();
    const move = nextMove(
      {
        prompt,
        own: conversation.own(),
        tool_calls: conversation.tool_calls(),
        usage: conversation.usage(),
        iterations: conversation.iterations(),
      },
      rules,
    );
    if (move.type === "finish") return ok({ type: "finished", finish: move, finish_reason: finishReason });
    if (move.type === "turn") {
      const turn = await takeTurn(loop, move.prelude);
      if (!turn.ok) {
        const usage = addUsage(conversation.usage(), turn.error.usage ?? NO_USAGE);
        return err({ ...turn.error, usage });
      }
      finishReason = turn.value;
      continue;
    }
    const pending: PendingToolCall[] = [];
    for (const call of move.calls.filter((asked) => !isParking(loop, asked))) {
      const waiting = await answerCall(loop, call);
      if (waiting !== undefined) pending.push(waiting);
    }
    if (pending.length > 0) return ok({ type: "parked", pending });
    await parkWorker(loop, move.calls);
  }
};
