import { describe, expect, it } from "vitest";
import { createExecutor } from "../../src/executor/executor.ts";
import { createRegistry } from "../../src/executor/registry.ts";
import { named as createToolRegistry } from "../../src/executor/registry.ts";
import type { AgentStep } from "../../src/ports/stage-journal.ts";
import type { StagePlan } from "../../src/schema/plan.ts";

interface Message {
  readonly id?: number;
  readonly method: string;
}

/** An MCP server with one tool, behind a fetch. */
const mcpServer: typeof fetch = async (_input, init) => {
  if (init?.method !== "POST") return new Response(null, { status: 405 });
  const { id, method } = JSON.parse(String(init.body)) as Message;
  if (id === undefined) return new Response(null, { status: 202 });
  const results: Record<string, unknown> = {
    initialize: {
      protocolVersion: "2025-06-18",
      capabilities: { tools: {} },
      serverInfo: { name: "test", version: "1" },
    },
    "tools/list": { tools: [{ name: "tell", inputSchema: { type: "object" } }] },
    "tools/call": { content: [{ type: "text", text: "told" }] },
  };
  const result = results[method];
  return Response.json({ jsonrpc: "2.0", id, ...(result ? { result } : { error: { code: -32601, message: "no" } }) });
};

const plan: StagePlan = {
  kind: "stage",
  run_id: "run-1",
  workflow_id: "wf",
  node_id: "work",
  stage_id: "run-1:work:1",
  attempt: 1,
  attempt_token: "token",
  idempotency_key: "run-1:work:1",
  mode: "agent",
  timeout_ms: 5000,
  prompt: "Work",
  llm_options: { provider: "scripted" },
  agent_loop_options: { tools: [{ name: "add" }, { mcp: { url: "https://tools.example.com/mcp", name: "server" } }] },
  output_schema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] },
  script: {
    replies: [
      { when: { turn: 1 }, tool_calls: [{ name: "add", arguments: { a: 1 } }, { name: "server_tell" }] },
      { when: { turn: 2 }, text: '{"n": 1}' },
    ],
  },
};

describe("an agent stage in the runtime of the deployment", () => {
  it("[W-4.5] calls tools in code and on an MCP server, and checks schemas without making code", async () => {
    const steps: AgentStep[] = [];
    const executor = createExecutor({
      env: {},
      fetcher: mcpServer,
      functions: createRegistry({}),
      now: () => Date.now(),
      tools: createToolRegistry({
        add: {
          description: "Adds one",
          parameters: { type: "object", properties: { a: { type: "number" } }, required: ["a"] },
          execute: ({ a }) => Number(a) + 1,
        },
      }),
    });
    const journal = { record: async (step: AgentStep) => void steps.push(step), stream: () => undefined };
    const result = await executor.execute(plan, new AbortController().signal, journal);
    expect(result).toMatchObject({ status: "done", data: { n: 1 } });
    expect(steps.map(({ tool_call }) => tool_call?.result)).toEqual([undefined, 2, "told", undefined]);
  });
});
