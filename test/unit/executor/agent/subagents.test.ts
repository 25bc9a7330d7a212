import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../../src/lib/json.ts";
import { countingTool, journalOf, reply, runAgent, scriptedAgent, toolAnswers } from "./agent-plans.ts";

const delegating = (given: JsonObject, options: JsonObject = { subagents: true }) =>
  scriptedAgent([reply(1, "You do it.", ["subagent_run", given]), reply(2, "All done.")], options);

const run = async (plan: ReturnType<typeof delegating>) => {
  const { steps, journal } = journalOf();
  return { result: await runAgent(plan, { work: countingTool([]) }, { journal }), steps };
};

describe("an agent with sub-agents", () => {
  test("[L-15] waits for a worker with its call", async () => {
    const { result } = await run(delegating({ task: "Look", options: { name: "scout" } }));
    expect(result).toMatchObject({
      __workflow_stage_parked: true,
      pending: [
        {
          call_id: "call_1_1",
          tool_name: "subagent_run",
          reason: "worker",
          arguments: { task: "Look", options: { name: "scout" } },
        },
      ],
    });
  });

  test.each([
    [{ task: " " }, "sub_agent_run: task is required"],
    [{ task: "x", options: 1 }, "sub_agent_run: options must be a dict or nil"],
    [{ task: "x", options: { allowed_tools: "all" } }, "sub_agent_run.allowed_tools: expected a list of strings"],
    [
      { task: "x", options: { tools: [] } },
      "sub_agent_run: options.tools: unknown field; expected name, system, allowed_tools, returns",
    ],
  ])("[L-15.1] is told what is wrong with %j, and goes on", async (given, message) => {
    const { result, steps } = await run(delegating(given));
    expect(result).toMatchObject({ status: "done", visible_text: "All done." });
    expect(steps[1]?.tool_call).toMatchObject({ status: "error", error_category: "schema_validation" });
    expect(toolAnswers(steps)[0]).toContain(message);
  });

  test("[L-17.7] are only where the node says so", async () => {
    const { steps } = await run(delegating({ task: "Look" }, {}));
    expect(steps[1]?.tool_call).toMatchObject({ status: "rejected", error_category: "tool_rejected" });
  });

  test("[L-17.7] are asked for by the rules of every call", async () => {
    const permissions = { deny: ["subagent_run"] };
    const { steps } = await run(delegating({ task: "Look" }, { subagents: true, permissions }));
    expect(steps[1]?.tool_call).toMatchObject({ status: "rejected" });
  });
});
