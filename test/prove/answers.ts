import type { JsonObject } from "../../src/lib/json.ts";
import type { AgentStep, PendingToolCall, ToolAnswer } from "../../src/schema/agent-step.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import { randomResult } from "../sim/graph.ts";
import { Random } from "../support/random.ts";

/** Which execution an answer is for: the node, its visit and, for a branch of a map, the item. */
export interface Played {
  readonly node_id: string;
  readonly visit: number;
  readonly item: number | null;
  /** Attempts that failed before. */
  readonly failed: number;
}

/** Everything the outside says to a run; it depends on the seed and on what is executed, and on no time. */
export interface Outside {
  readonly result: (plan: StagePlan, played: Played) => JsonObject;
  readonly loop: (played: Played) => readonly LoopAction[];
  /** The order in which what waits for the outside is over. */
  readonly rank: (played: Played) => number;
  /** Whether a message, or a person, comes before the time of the stage is over. */
  readonly comes: (played: Played) => boolean;
  readonly answer: (call: PendingToolCall) => ToolAnswer;
}

/** What an agent loop does next. */
export type LoopAction =
  | { readonly step: AgentStep; readonly park?: never }
  | { readonly park: PendingToolCall; readonly step?: never };

const keyOf = ({ node_id: node, visit, item }: Played): string => `${node}/${visit}/${item ?? ""}`;

const usage = (random: Random) => ({
  input_tokens: random.int(1, 50),
  output_tokens: random.int(1, 20),
  total_duration_ms: 5,
  call_count: 1,
  total_cost: 0,
  models: ["scripted"],
});

const toolStep = (random: Random, callId: string, iteration: number): AgentStep => {
  const args = { of: random.int(1, 100) };
  const isRefused = random.chance(0.2);
  const result = `${isRefused ? "no" : "found"} ${random.int(1, 1000)}`;
  return {
    iteration,
    messages: [{ role: "tool_result", content: result, tool_call_id: callId }],
    tool_call: {
      call_id: callId,
      tool_name: random.pick(["read", "search"]),
      arguments: args,
      status: isRefused ? "rejected" : "ok",
      result,
      duration_ms: 3,
      idempotency_key: callId,
      iteration,
      started_at: "2026-01-01T00:00:00Z",
    },
  };
};

const loopOf = (random: Random, key: string): readonly LoopAction[] => {
  const actions: LoopAction[] = [];
  const turns = random.int(1, 3);
  for (let iteration = 1; iteration <= turns; iteration++) {
    const said = [{ role: "assistant", content: `turn ${iteration} ${random.int(1, 1000)}` }];
    const asked = iteration === 1 ? [{ role: "user", content: `work on ${key}` }] : [];
    actions.push({ step: { iteration, messages: [...asked, ...said], usage: usage(random) } });
    const calls = random.int(0, 2);
    for (let call = 0; call < calls; call++)
      actions.push({ step: toolStep(random, `${key}:${iteration}:${call}`, iteration) });
    if (random.chance(0.25))
      actions.push({
        park: {
          call_id: `${key}:${iteration}:ask`,
          tool_name: "ask",
          arguments: { iteration },
          reason: random.pick(["client_tool", "approval"]),
          iteration,
        },
      });
  }
  return actions;
};

const verdict = (random: Random): JsonObject => {
  const ok = random.chance(0.6);
  return {
    status: "completed",
    text: "",
    visible_text: "",
    data: { ok, findings: ok ? [] : [`finding ${random.int(1, 1000)}`] },
  };
};

/** The outside of one seed. */
export const outsideOf = (seed: number): Outside => {
  const named = (played: Played, what: string): Random => Random.named(seed, `${what}/${keyOf(played)}`);
  return {
    result: (plan, played) => {
      const random = named(played, `result ${played.failed}`);
      if (plan.kind === "verify" && plan.mode === "function") return verdict(random);
      const result = randomResult(random);
      return { ...result, ...(random.chance(0.5) ? { usage: usage(random) } : {}) };
    },
    loop: (played) => loopOf(named(played, "loop"), keyOf(played)),
    rank: (played) => named(played, "rank").next(),
    comes: (played) => named(played, "comes").chance(0.6),
    answer: (call) => {
      const random = Random.named(seed, `answer/${call.call_id}`);
      return call.reason === "approval"
        ? { approved: random.chance(0.7) }
        : { result: `answer ${random.int(1, 1000)}`, is_error: random.chance(0.2) };
    },
  };
};
