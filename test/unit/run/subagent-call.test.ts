import { describe, expect, it } from "vitest";
import { drainOutbox } from "../../../durable-objects/shell/drain.ts";
import type { RunEffect } from "../../../src/engine/run/command.ts";
import { budgetLeft } from "../../../src/engine/run/budget.ts";
import { awaitedWorkers } from "../../../src/engine/run/delegate.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import { calledSpawn, delegatedCall } from "../../../src/engine/run/subagent-call.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { decodeSubagentCall } from "../../../src/schema/subagent-call.ts";
import { accepted, createRun, refusal } from "../../support/run-fixture.ts";
import { advance, complete, planIn, runOfNode } from "../../support/run-steps.ts";

const NODE: JsonObject = {
  kind: "stage",
  mode: "agent",
  prompt: "Work",
  tools: [{ name: "echo" }, { name: "read" }],
  model_policy: { subagents: true, provider: "scripted", model: "m" },
};

const waits = (call_id: string, task = "Look", options: JsonObject = {}): JsonObject => ({
  call_id,
  tool_name: "subagent_run",
  arguments: { task, options },
  reason: "worker",
  iteration: 1,
});

const raise = (error: unknown): never => {
  throw error;
};

const parked = (calls: readonly JsonObject[], node: JsonObject = {}, more: Parameters<typeof createRun>[1] = {}) => {
  const fixture = runOfNode({ ...NODE, ...node }, more);
  const { shell } = fixture;
  const plan = planIn(advance(shell));
  complete(shell, plan, { __workflow_stage_parked: true, pending: calls });
  const state = (): Run => {
    if (shell.state === null) throw new Error("there is no run");
    return shell.state;
  };
  const effects = async (): Promise<readonly RunEffect[]> => {
    const found: RunEffect[] = [];
    await drainOutbox<RunEffect>(
      fixture.store,
      async (effect) => void found.push(effect),
      () => fixture.clock.now,
      raise,
    );
    return found.filter(({ type }) => type === "spawn_worker" || type === "close_worker" || type === "drive");
  };
  const spawn = (call_id: string) => {
    const found = delegatedCall(state(), { stage_id: plan.stage_id, call_id });
    if (found === null) throw new Error("nothing waits");
    const call = decodeSubagentCall(found.call.arguments);
    if (!call.ok) throw new Error(call.error);
    return calledSpawn(state(), found, call.value);
  };
  const answer = (call_id: string, worker_id: string | undefined) =>
    ({
      type: "answer_call",
      call_id,
      stage_id: plan.stage_id,
      ...(worker_id === undefined ? {} : { worker_id }),
      answer: { result: { ok: true, summary: "found" } },
    }) as const;
  return { ...fixture, plan, state, effects, spawn, answer };
};

describe("a call for a sub-agent", () => {
  it("[L-15] parks its stage and orders a worker for each call, once", async () => {
    const { shell, state, plan, effects } = parked([waits("c1"), waits("c2")]);
    expect(await effects()).toEqual([
      { type: "spawn_worker", stage_id: plan.stage_id, call_id: "c1" },
      { type: "spawn_worker", stage_id: plan.stage_id, call_id: "c2" },
    ]);
    const ids = awaitedWorkers(state());
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(2);
    expect(state().open[0]).toMatchObject({ holder: "nobody" });
    expect(advance(shell)).toMatchObject({ next: null, waiting: "worker" });
    const mixed = parked([waits("c1"), { ...waits("c2"), reason: "client_tool" }]);
    expect(advance(mixed.shell)).toMatchObject({ next: null, waiting: "tool_call" });
  });

  it("[L-15.1] makes a sub-agent like the agent itself, one level deeper and the same each time", () => {
    const options = { capability_policy: { recursion_limit: 2, side_effect_level: "read_only" } };
    const call = waits("c1", "Look", {
      name: "scout",
      allowed_tools: ["read"],
      returns: { schema: { type: "object" } },
    });
    const { spawn, state, plan } = parked([call], {}, { options } as never);
    const made = spawn("c1");
    expect(made).toMatchObject({
      ok: true,
      value: {
        worker_id: awaitedWorkers(state())[0],
        mode: "sub_agent",
        name: "scout",
        task: "Look",
        config: {
          spec: {
            options: { provider: "scripted", model: "m", tools: [{ name: "read" }] },
            returns_schema: { type: "object" },
          },
        },
        carry_policy: { policy: { tools: ["read"], recursion_limit: 1, side_effect_level: "read_only" } },
        parent: { stage_id: plan.stage_id, call_id: "c1" },
      },
    });
    expect(JSON.stringify(made)).not.toContain("subagents");
    expect(spawn("c1")).toEqual(made);
  });

  it("[L-3.1] is refused where the policy has no level left, and where the node has no sub-agents", () => {
    const deep = parked([waits("c1")], {}, { options: { capability_policy: { recursion_limit: 0 } } } as never);
    expect(deep.spawn("c1")).toMatchObject({ ok: false, error: expect.stringContaining("recursion_limit is 0") });
    const none = parked([waits("c1")], { model_policy: { provider: "scripted" } });
    expect(none.spawn("c1")).toEqual({ ok: false, error: "node m has no subagents" });
  });

  it("[L-15] is answered by its worker alone, once, and the agent goes on", async () => {
    const { shell, state, effects, answer } = parked([waits("c1")]);
    await effects();
    const [id] = awaitedWorkers(state());
    expect(refusal(shell, answer("c1", undefined))).toMatchObject({
      code: "invalid_request",
      detail: `call c1 of subagent_run waits for its worker ${id}, which answers it`,
    });
    accepted(shell, answer("c1", id));
    expect((await effects()).map(({ type }) => type)).toEqual(["drive"]);
    expect(refusal(shell, answer("c1", id))).toMatchObject({ code: "tool_call_not_found" });
    const next = planIn(advance(shell));
    expect(next.session?.messages.at(-1)).toMatchObject({
      role: "tool_result",
      content: `{"ok":true,"summary":"found"}`,
    });
    expect(awaitedWorkers(state())).toEqual([]);
  });

  it("[L-15] closes its worker with the run, not one that has answered", async () => {
    const { shell, state, effects, answer } = parked([waits("c1"), waits("c2")]);
    await effects();
    const [first, second] = awaitedWorkers(state());
    accepted(shell, answer("c1", first));
    accepted(shell, { type: "cancel_run", reason: "enough" });
    expect(await effects()).toEqual([{ type: "close_worker", worker_id: second }]);
  });

  it("[L-3] may spend what its run has left, and what it used is used by the stage", () => {
    const { shell, state, spawn, answer } = parked([waits("c1")], {}, { options: { budget: { max_cost_usd: 2 } } });
    expect(spawn("c1")).toMatchObject({ ok: true, value: { parent: { budget: { max_cost_usd: 2 } } } });
    const [worker] = awaitedWorkers(state());
    const usage = {
      input_tokens: 3,
      output_tokens: 2,
      total_duration_ms: 1,
      call_count: 1,
      total_cost: 0.5,
      models: ["m"],
    } as const;
    accepted(shell, { ...answer("c1", worker), usage });
    expect(planIn(advance(shell)).progress?.usage).toMatchObject({ total_cost: 0.5, input_tokens: 3 });
    expect(budgetLeft(state())).toEqual({ max_cost_usd: 1.5 });
  });
});
