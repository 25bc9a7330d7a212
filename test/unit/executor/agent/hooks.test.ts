import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../../src/lib/json.ts";
import { createRegistry } from "../../../../src/executor/registry.ts";
import type { StagePlan } from "../../../../src/schema/plan.ts";
import { countingTool, journalOf, reply, resumed, runAgent, scriptedAgent, toolAnswers } from "./agent-plans.ts";

const hookedAgent = (hooks: readonly JsonObject[], options: JsonObject = {}, fields: Partial<StagePlan> = {}) =>
  scriptedAgent(
    [reply(1, "", ["work", { path: "src/a" }]), reply(2, "Done.")],
    { tool_hooks: hooks, ...options },
    fields,
  );

/** Runs an agent of one tool call; what the tool was called with, and what the model was told. */
const called = async (
  hooks: readonly JsonObject[],
  functions: Parameters<typeof createRegistry>[0] = {},
  answer: Json = { found: "a secret plan" },
) => {
  const args: JsonObject[] = [];
  const { steps, journal } = journalOf();
  const tool = countingTool([], (given) => {
    args.push(given);
    return answer;
  });
  const result = await runAgent(hookedAgent(hooks), { work: tool }, { journal, functions: createRegistry(functions) });
  return { result, args, told: toolAnswers(steps)[0] ?? "", calls: steps.flatMap(({ tool_call }) => tool_call ?? []) };
};

describe("hooks before a call", () => {
  test("[W-17.1] refuse it; the model is told why and the run goes on", async () => {
    const { result, args, told } = await called([{ pattern: "wo*", deny: "not today" }]);
    expect(result).toMatchObject({ status: "done", trace: { tool_rejections: 1 } });
    expect(args).toEqual([]);
    expect(JSON.parse(told)).toEqual({ error: "permission_denied", tool: "work", reason: "not today" });
  });

  test("[W-17.1] change its arguments, which is what is recorded", async () => {
    const { args, calls } = await called([{ pattern: "*", pre: { action: "modify", args: { path: "src/b" } } }]);
    expect(args).toEqual([{ path: "src/b" }]);
    expect(calls[0]).toMatchObject({ arguments: { path: "src/b" }, status: "ok" });
  });

  test("[W-17.1] may be registered functions that take their time; later ones see what earlier ones made", async () => {
    const seen: Json[] = [];
    const { args } = await called(
      [
        { pattern: "*", pre: "first" },
        { pattern: "*", pre: "second" },
      ],
      {
        first: async () => Promise.resolve({ args: { path: "one" } }),
        second: async (payload) => {
          seen.push(payload);
          return Promise.resolve({ args: { path: "two" } });
        },
      },
    );
    expect(seen).toEqual([{ event: "PreToolUse", tool: { name: "work", args: { path: "one" } } }]);
    expect(args).toEqual([{ path: "two" }]);
  });

  test.each<[string, Parameters<typeof createRegistry>[0], string]>([
    ["is not registered", {}, "tool hook 'guard' is not registered"],
    ["answers wrongly", { guard: () => 7 }, "must return nil or {deny, args}, got int"],
    ["answers no JSON", { guard: () => new Date() as never }, "what JSON cannot carry"],
    [
      "throws",
      {
        guard: () => {
          throw new Error("out of order");
        },
      },
      "out of order",
    ],
  ])("[W-17.1] a guard that %s lets nothing through", async (_how, functions, reason) => {
    const { args, told } = await called([{ pattern: "*", pre: "guard" }], functions);
    expect(args).toEqual([]);
    expect((JSON.parse(told) as { reason: string }).reason).toContain(reason);
  });

  test("[W-10.7] arguments that a hook changed pass the gate again", async () => {
    const { journal, steps } = journalOf();
    const plan = hookedAgent([{ pattern: "*", pre: { action: "modify", args: { path: "/etc/passwd" } } }], {
      policy: { tools: ["work"], tool_arg_constraints: [{ tool: "work", arg_patterns: ["src/*"], arg_key: "path" }] },
    });
    await runAgent(plan, { work: countingTool([]) }, { journal });
    expect(steps.flatMap(({ tool_call }) => tool_call ?? [])).toMatchObject([{ status: "rejected" }]);
  });
});

describe("hooks after a call", () => {
  test("[W-17.1] change and shorten what is told", async () => {
    const { told } = await called([{ pattern: "*", post: { when_contains: "secret", replace_with: "(nothing)" } }]);
    expect(told).toBe("(nothing)");
    const { told: short } = await called([{ pattern: "*", max_output: 300 }], {}, "x".repeat(1000));
    expect(short.length).toBeLessThan(400);
  });

  test("[W-17.1] that do not work withhold the result of the call that was made", async () => {
    const { args, told, calls } = await called([{ pattern: "*", post: "tidy" }], { tidy: () => 7 });
    expect(args).toHaveLength(1);
    expect(told).toContain("the result is withheld");
    expect(told).not.toContain("secret plan");
    expect(calls).toMatchObject([{ status: "error", error_category: "tool_error" }]);
  });
});

/** An agent whose every call needs an approval and whose hook takes `src/` off a path. */
const asking = () => {
  const plan = hookedAgent([{ pattern: "*", pre: "add" }], { approval_policy: { require_approval: ["*"] } });
  const args: JsonObject[] = [];
  const functions = createRegistry({
    add: (payload) => {
      const { path } = (payload as { tool: { args: { path: string } } }).tool.args;
      return path.startsWith("src/") ? { args: { path: path.slice(4) } } : null;
    },
  });
  const tool = countingTool([], (given) => {
    args.push(given);
    return "ok";
  });
  const go = async (given: StagePlan, journal = journalOf()) => ({
    result: await runAgent(given, { work: tool }, { journal: journal.journal, functions }),
    steps: journal.steps,
  });
  return { plan, args, go };
};

describe("hooks and approvals", () => {
  test("[W-10.7] a person is asked about what the hooks made of it, and once", async () => {
    const { plan, args, go } = asking();
    const { result, steps } = await go(plan);
    expect(result).toMatchObject({
      __workflow_stage_parked: true,
      pending: [
        {
          call_id: "call_1_1",
          reason: "approval",
          arguments: { path: "a" },
          request: { tool: "work", arguments: { path: "a" }, reason: "tool 'work' requires approval" },
        },
      ],
    });
    const again = resumed(plan, steps);
    const approvals = { call_1_1: { approved: true, arguments: { path: "a" } } };
    const approved = { ...again, progress: { ...again.progress, approvals } } as StagePlan;
    expect((await go(approved)).result).toMatchObject({ status: "done" });
    expect(args).toEqual([{ path: "a" }]);
  });

  test("[W-10.7] what a person puts in the place of the arguments passes the hooks as well", async () => {
    const { plan, args, go } = asking();
    const { steps } = await go(plan);
    const again = resumed(plan, steps);
    const approvals = { call_1_1: { approved: true, arguments: { path: "src/mine" } } };
    await go({ ...again, progress: { ...again.progress, approvals } } as StagePlan);
    expect(args).toEqual([{ path: "mine" }]);
  });

  test("[W-10.4] a call that was not approved is told so, with the standard reason without one", async () => {
    const { plan, args, go } = asking();
    const { steps } = await go(plan);
    const again = resumed(plan, steps);
    const denied = { ...again, progress: { ...again.progress, approvals: { call_1_1: { approved: false } } } };
    const { steps: later } = await go(denied as StagePlan);
    expect(toolAnswers(later)[0]).toContain("host did not grant approval");
    expect(args).toEqual([]);
  });
});

test("[W-17.1] hooks that cannot be read fail the stage before anything is called", async () => {
  expect(await runAgent(hookedAgent([{ pattern: 7 }]), { work: countingTool([]) })).toMatchObject({
    error_category: "schema_validation",
  });
});
