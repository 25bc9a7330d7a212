import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../../src/lib/json.ts";
import { countingTool, journalOf, reply, resumed, runAgent, scriptedAgent, toolAnswers } from "./agent-plans.ts";

const TOOL = "agent_await_resumption";

/** An agent of a worker that asks for this in its first turn, and answers in the second. */
const asking = (given: JsonObject, ...calls: readonly (readonly [string, JsonObject?])[]) =>
  scriptedAgent([reply(1, "I wait.", [TOOL, given], ...calls), reply(2, "All done.")], {}, { worker_id: "worker_1" });

const WAIT = { reason: "the key is missing", conditions: { timeout: { duration_minutes: 30 } } };

const NORMAL = {
  reason: "the key is missing",
  conditions: { timeout: { duration_minutes: 30, on_timeout: "resume_with_summary" } },
};

describe("an agent that parks its worker", () => {
  test("[L-17.7] asks for it with the step that holds the answer, and the loop stops there", async () => {
    // The run takes that step and ends the attempt behind it.
    const { steps, journal } = journalOf(2);
    const ended = await runAgent(asking(WAIT), { work: countingTool([]) }, { journal });
    expect(ended).toMatchObject({ error_category: "cancelled" });
    expect(steps).toHaveLength(2);
    expect(steps[1]).toMatchObject({
      suspend: NORMAL,
      tool_call: { tool_name: TOOL, status: "ok", arguments: WAIT },
      messages: [{ role: "tool_result" }],
    });
    expect(JSON.parse(toolAnswers(steps)[0] ?? "")).toEqual({
      status: "suspended",
      handle: "worker_1",
      ...NORMAL,
      initiator: "self",
      iterations_completed: 1,
    });
  });

  test("[L-17.7] goes on behind it with what it is told, and asks for nothing again", async () => {
    const { steps, journal } = journalOf(2);
    const plan = asking(WAIT);
    await runAgent(plan, { work: countingTool([]) }, { journal });
    const later = resumed(plan, steps);
    const session = {
      id: "session-1",
      messages: [...(later.session?.messages ?? []), { role: "user", content: "the key is k" }],
    };
    const second = journalOf();
    const result = await runAgent({ ...later, session }, { work: countingTool([]) }, { journal: second.journal });
    expect(result).toMatchObject({ status: "done", visible_text: "All done." });
    expect(second.steps.map(({ suspend }) => suspend)).toEqual([undefined]);
  });

  test("[L-17.2] lets the other calls of the turn finish first, and parks once", async () => {
    const made: string[] = [];
    const { steps, journal } = journalOf(4);
    const plan = asking(WAIT, [TOOL, WAIT], ["work", { n: 1 }]);
    await runAgent(plan, { work: countingTool(made) }, { journal });
    expect(made).toHaveLength(1);
    expect(steps.map(({ tool_call: call }) => call?.call_id)).toEqual([undefined, "call_1_3", "call_1_2", "call_1_1"]);
    expect(steps.map(({ suspend }) => suspend !== undefined)).toEqual([false, false, false, true]);
    expect(toolAnswers(steps)[1]).toContain("one call in a turn is enough");
  });

  test("[L-17.2] waits for a client first where the turn has a call for one", async () => {
    const { steps, journal } = journalOf();
    const plan = {
      ...asking(WAIT, ["ask", {}]),
      agent_loop_options: { tools: [{ name: "ask", client: true }] },
    };
    const result = await runAgent(plan, {}, { journal });
    expect(result).toMatchObject({ __workflow_stage_parked: true, pending: [{ call_id: "call_1_2" }] });
    expect(steps).toHaveLength(1);
  });

  test.each([
    [
      { reason: "r", conditions: { nothing: 1 } },
      "HARN-SUS-002: invalid ResumeConditions.nothing: unknown field; expected trigger, timeout, or on_event",
    ],
    [
      { reason: "r", conditions: "soon" },
      "HARN-SUS-002: invalid ResumeConditions.root: expected dict or nil, got string",
    ],
    [
      { reason: "r", conditions: { timeout: { duration_minutes: 0 } } },
      "HARN-SUS-002: invalid ResumeConditions.timeout.duration_minutes: must be a positive int",
    ],
    [
      { reason: "r", conditions: { trigger: { provider: "github", shards: 2 } } },
      "HARN-SUS-002: invalid ResumeConditions.trigger: shards: one event wakes the worker: leave it out",
    ],
    [
      { reason: "r", conditions: { trigger: {} } },
      "HARN-SUS-002: invalid ResumeConditions.trigger: trigger table missing provider",
    ],
    [{}, "agent_await_resumption: reason must be string, got nil"],
  ])("[L-18.1] is told what is wrong with %j, and goes on", async (given, message) => {
    const { steps, journal } = journalOf();
    const result = await runAgent(asking(given), { work: countingTool([]) }, { journal });
    expect(result).toMatchObject({ status: "done", visible_text: "All done." });
    expect(steps[1]?.tool_call).toMatchObject({ status: "error", error_category: "schema_validation" });
    expect(toolAnswers(steps)[0]).toContain(message);
    expect(steps.some(({ suspend }) => suspend !== undefined)).toBe(false);
  });

  test("[L-18.1] waits for events too", async () => {
    const { steps, journal } = journalOf(2);
    const conditions = {
      on_event: "deploys",
      trigger: { provider: "github", kind: "issues.opened", secret_ref: "github/hook" },
    };
    await runAgent(asking({ reason: "", conditions }), { work: countingTool([]) }, { journal });
    expect(steps[1]?.suspend).toEqual({ reason: "", conditions });
  });

  test("[L-17.7] has the tool whatever its policy allows", async () => {
    const { steps, journal } = journalOf(2);
    const plan = asking(WAIT);
    const policy = { tools: ["work"] };
    await runAgent(
      { ...plan, agent_loop_options: { ...plan.agent_loop_options, policy } },
      { work: countingTool([]) },
      { journal },
    );
    expect(steps[1]?.suspend).toEqual(NORMAL);
  });
});

describe("the tool that parks", () => {
  test("[L-17.7] is not there for an agent that is in no worker", async () => {
    const { worker_id: _worker, ...plan } = asking(WAIT);
    const { steps, journal } = journalOf();
    await runAgent(plan, { work: countingTool([]) }, { journal });
    expect(steps[1]?.tool_call).toMatchObject({ status: "rejected", error_category: "tool_rejected" });
    expect(steps.some(({ suspend }) => suspend !== undefined)).toBe(false);
  });

  test("[L-17.7] keeps its name from the tools of the node", async () => {
    const plan = { ...asking(WAIT), agent_loop_options: { tools: [{ name: TOOL, client: true }] } };
    expect(await runAgent(plan)).toMatchObject({
      error_category: "schema_validation",
      error: expect.stringContaining(`two tools have the name "${TOOL}"`),
    });
  });
});
