import { describe, expect, test } from "vitest";
import type { ToolCallRecord } from "../../../../src/ports/stage-journal.ts";
import type { ToolApproval } from "../../../../src/schema/agent-step.ts";
import type { StagePlan } from "../../../../src/schema/plan.ts";
import { countingTool, journalOf, reply, resumed, runAgent, scriptedAgent } from "./agent-plans.ts";

const script = [
  reply(1, "One.", ["work", { n: 1 }], ["work", { n: 2 }]),
  reply(2, "Two.", ["work", { n: 3 }]),
  reply(3, "Thinking."),
  reply(4, "Four.", ["work", { n: 4 }]),
  reply(5, "##DONE##"),
];
const plan = scriptedAgent(script, { done_sentinel: "##DONE##" });
const keys = ["call_1_1", "call_1_2", "call_2_1", "call_4_1"].map((id) => `run-1:work:1:${id}`);

const whole = async () => {
  const { steps, journal } = journalOf();
  const result = await runAgent(plan, { work: countingTool([]) }, { journal });
  return { steps, result };
};

describe("a crash in the middle of a loop", () => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    "[W-4.5] after step %i goes on from there: every tool is called once, but the one that was under way",
    async (cut) => {
      const straight = await whole();
      expect(straight.steps).toHaveLength(9);
      const made: string[] = [];
      const first = journalOf(cut);
      const broken = await runAgent(plan, { work: countingTool(made) }, { journal: first.journal });
      expect(broken).toMatchObject({ error_category: "cancelled", retryable: false });
      expect(first.steps).toEqual(straight.steps.slice(0, cut));
      const second = journalOf();
      const result = await runAgent(
        resumed(plan, first.steps),
        { work: countingTool(made) },
        { journal: second.journal },
      );
      expect(result).toEqual(straight.result);
      expect([...first.steps, ...second.steps]).toEqual(straight.steps);
      // The step that was cut off is the one whose call may have been made twice, under the same key.
      const underWay = straight.steps[cut]?.tool_call?.idempotency_key;
      const expected = keys.flatMap((key) => (key === underWay ? [key, key] : [key]));
      expect(made).toEqual(expected);
    },
  );

  test("[W-4.5] after the last step nothing is asked or called again", async () => {
    const { steps, result } = await whole();
    const made: string[] = [];
    const { steps: more, journal } = journalOf();
    const silent = {
      ...resumed(plan, steps),
      script: { replies: [{ error: { category: "generic", message: "no" } }] },
    };
    expect(await runAgent(silent, { work: countingTool(made) }, { journal })).toMatchObject({
      status: "done",
      text: result["text"],
      usage: result["usage"],
    });
    expect([made, more]).toEqual([[], []]);
  });

  test("a step that could not be recorded is a failure that may pass, and nothing happens after it", async () => {
    const made: string[] = [];
    const journal = { record: async () => Promise.reject(new Error("gone")), stream: () => undefined };
    const result = await runAgent(plan, { work: countingTool(made) }, { journal });
    expect(result).toMatchObject({ error_category: "transient_network", retryable: true });
    expect(made).toEqual([]);
  });

  test("[W-0.3] a driver that gives up during a call leaves the call unrecorded", async () => {
    const controller = new AbortController();
    const { steps, journal } = journalOf();
    const tool = countingTool([], (_args) => {
      controller.abort();
      return "too late";
    });
    const result = await runAgent(plan, { work: tool }, { journal, signal: controller.signal });
    expect(result["error_category"]).toBe("cancelled");
    expect(steps).toHaveLength(1);
  });
});

/** The plan with what a person said to a call. */
const answeredBy = (plan: StagePlan, approval: ToolApproval): StagePlan =>
  plan.progress === undefined ? plan : { ...plan, progress: { ...plan.progress, approvals: { call_1_1: approval } } };

describe("waiting for somebody", () => {
  const tools = [{ name: "work" }, { name: "ask_user", client: true, parameters: { type: "object" } }];
  const asking = scriptedAgent(
    [
      reply(1, "Asking.", ["ask_user", { q: "sure?" }], ["work", { n: 1 }]),
      { when: { turn: 2, prompt_contains: "yes, sure" }, text: "Good." },
    ],
    { tools },
  );

  test("[W-10.7] a client's tool parks the stage after the other calls of the turn, and its answer is taken", async () => {
    const made: string[] = [];
    const { steps, journal } = journalOf();
    const parked = await runAgent(asking, { work: countingTool(made) }, { journal });
    expect(parked).toEqual({
      __workflow_stage_parked: true,
      pending: [
        { call_id: "call_1_1", tool_name: "ask_user", arguments: { q: "sure?" }, reason: "client_tool", iteration: 1 },
      ],
    });
    expect(made).toHaveLength(1);
    expect(await runAgent(resumed(asking, steps), { work: countingTool(made) })).toEqual(parked);
    const answer = { role: "tool_result", tool_call_id: "call_1_1", tool_name: "ask_user", content: "yes, sure" };
    const answered = [...steps, { iteration: 1, messages: [answer] }];
    const result = await runAgent(resumed(asking, answered), { work: countingTool(made) });
    expect(result).toMatchObject({ status: "done", visible_text: "Good." });
    expect(made).toHaveLength(1);
  });

  const guarded = scriptedAgent([reply(1, "", ["work", { path: "a" }]), reply(2, "Over.")], {
    approval_policy: { require_approval: ["work"], auto_deny: [] },
  });

  test("[W-10.4] a call that needs approval parks the stage; approved it is made, with the arguments of the approval", async () => {
    const seen: unknown[] = [];
    const work = countingTool([], (args) => {
      seen.push(args);
      return "made";
    });
    const { steps, journal } = journalOf();
    const parked = await runAgent(guarded, { work }, { journal });
    expect(parked).toMatchObject({ pending: [{ call_id: "call_1_1", tool_name: "work", reason: "approval" }] });
    expect(seen).toEqual([]);
    const approved = answeredBy(resumed(guarded, steps), { approved: true, arguments: { path: "b" } });
    const more = journalOf();
    expect(await runAgent(approved, { work }, { journal: more.journal })).toMatchObject({ status: "done" });
    expect(seen).toEqual([{ path: "b" }]);
    expect(more.steps[0]?.tool_call).toMatchObject({ status: "ok", arguments: { path: "b" } });
  });

  test("[W-10.4] is not taken for answered because its id is the name of something every object has", async () => {
    const { steps, journal } = journalOf();
    await runAgent(guarded, { work: countingTool([]) }, { journal });
    const named = JSON.parse(JSON.stringify(steps).replaceAll("call_1_1", "constructor")) as typeof steps;
    const plan = resumed(guarded, named);
    const waiting = { ...plan, progress: { ...plan.progress, approvals: {} } } as StagePlan;
    expect(await runAgent(waiting, { work: countingTool([]) })).toMatchObject({
      pending: [{ call_id: "constructor", reason: "approval" }],
    });
  });

  test("[W-10.4] denied it is told to the model as permission_denied and the run goes on", async () => {
    const made: string[] = [];
    const { steps, journal } = journalOf();
    await runAgent(guarded, { work: countingTool(made) }, { journal });
    const denied = answeredBy(resumed(guarded, steps), { approved: false });
    const more = journalOf();
    const result = await runAgent(denied, { work: countingTool(made) }, { journal: more.journal });
    expect(result).toMatchObject({ status: "done", trace: { tool_rejections: 1, tool_executions: 0 } });
    const call = more.steps[0]?.tool_call as ToolCallRecord;
    expect(call).toMatchObject({ status: "rejected", error_category: "tool_rejected" });
    expect(call.result).toMatchObject({ error: "permission_denied", reason: "host did not grant approval" });
    expect(made).toEqual([]);
  });
});

describe("the gate", () => {
  const twice = [reply(1, "", ["work"]), reply(2, "Over.")];
  const refused = async (options: Parameters<typeof scriptedAgent>[1]) => {
    const made: string[] = [];
    const { steps, journal } = journalOf();
    const result = await runAgent(scriptedAgent(twice, options), { work: countingTool(made) }, { journal });
    expect(result["status"]).toBe("done");
    expect(made).toEqual([]);
    return steps[1]?.tool_call;
  };

  test.each([
    ["a tool beyond the ceiling", { policy: { tools: ["other"] } }, "tool 'work' exceeds tool ceiling"],
    ["a denied pattern", { approval_policy: { auto_deny: ["w*"] } }, "tool 'work' matches deny pattern 'w*'"],
    [
      "a side effect beyond the ceiling",
      {
        policy: { side_effect_level: "read_only" },
        tools: [{ name: "work", policy: { side_effect_level: "network" } }],
      },
      "tool 'work' exceeds side-effect ceiling: network",
    ],
    [
      "a capability beyond the ceiling",
      {
        policy: { capabilities: { fs: ["read"] } },
        tools: [{ name: "work", policy: { capabilities: { fs: ["write"] } } }],
      },
      "tool 'work' exceeds capability ceiling: fs.write",
    ],
  ])("[W-10.6] %s is refused and the loop goes on", async (_name, options, reason) => {
    expect(await refused(options)).toMatchObject({
      status: "rejected",
      error_category: "tool_rejected",
      result: { error: "permission_denied", tool: "work", reason },
    });
  });

  test("[W-10.7] a tool that does not exist is refused by the ceiling its tools imply", async () => {
    const { steps, journal } = journalOf();
    const plan = scriptedAgent([reply(1, "", ["rm"]), reply(2, "Over.")]);
    await runAgent(plan, { work: countingTool([]) }, { journal });
    expect(steps[1]?.tool_call).toMatchObject({ status: "rejected", tool_name: "rm" });
  });

  test("[W-10.4] an approval without the right to the tool does not help: arguments of an approval are judged again", async () => {
    const plan = scriptedAgent(twice, {
      tools: [{ name: "work", policy: { kind: "edit", arg_schema: { path_params: ["path"] } } }],
      approval_policy: { require_approval: ["work"], write_path_allowlist: ["safe*"] },
    });
    const { steps, journal } = journalOf();
    await runAgent(plan, { work: countingTool([]) }, { journal });
    const approved = answeredBy(resumed(plan, steps), { approved: true, arguments: { path: "/etc/passwd" } });
    const made: string[] = [];
    const more = journalOf();
    await runAgent(approved, { work: countingTool(made) }, { journal: more.journal });
    expect(made).toEqual([]);
    expect(more.steps[0]?.tool_call?.status).toBe("rejected");
  });
});
