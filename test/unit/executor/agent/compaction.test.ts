import { expect, test } from "vitest";
import { defaultGate } from "../../../../src/executor/agent/gate.ts";
import type { Compact } from "../../../../src/executor/agent/loop.ts";
import { createAgentRunner } from "../../../../src/executor/agent/runner.ts";
import { createRedactor } from "../../../../src/executor/redaction.ts";
import { named as createToolRegistry } from "../../../../src/executor/registry.ts";
import { configOf } from "../plans.ts";
import { countingTool, journalOf, reply, scriptedAgent } from "./agent-plans.ts";

test("[W-14.4] a compaction is recorded with the turn it made room for, and the loop goes on from it", async () => {
  const summary = { role: "user", content: "[auto-compacted 3 older messages]" };
  const seen: number[] = [];
  const compact: Compact = async ({ messages }) => {
    seen.push(messages.length);
    return messages.length > 2 ? { event: { kind: "compaction" }, messages: [summary] } : undefined;
  };
  const { steps, journal } = journalOf();
  const plan = scriptedAgent([
    reply(1, "One.", ["work"]),
    {
      when: { turn: 2, prompt_contains: "auto-compacted" },
      text: "Two.",
      tool_calls: [{ name: "work", arguments: { n: 2 } }],
    },
    reply(3, "Three."),
  ]);
  const runner = createAgentRunner({ gate: defaultGate, compact });
  const outcome = await runner.run(plan, {
    ...configOf({ tools: createToolRegistry({ work: countingTool([]) }) }),
    journal,
    redactor: createRedactor({}),
    signal: new AbortController().signal,
  });
  expect(outcome).toMatchObject({
    ok: true,
    value: { status: "done", text: "One.\nTwo.\nThree.", trace: { compactions: 2 } },
  });
  expect(seen).toEqual([0, 3, 3]);
  expect(steps[2]).toMatchObject({ iteration: 2, compaction: { event: { kind: "compaction" }, messages: [summary] } });
  expect(steps[2]?.messages).toHaveLength(1);
});
