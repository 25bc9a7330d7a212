import { expect, vi } from "vitest";
import { type Client, ProblemError } from "../../src/http/client.ts";
import type { JsonObject } from "../../src/lib/json.ts";

/** A graph with every way of reaching outside: an address, a handler, a model with tools, a command, a person. */
export const OUTSIDE = {
  _type: "workflow_graph",
  id: "outside",
  entry: "fetch",
  nodes: {
    fetch: { kind: "stage", mode: "http", http: { url: "https://api.example/items" } },
    charge: { kind: "stage", mode: "function", function: "echo", metadata: { effects: "once" } },
    think: {
      kind: "stage",
      mode: "agent",
      tools: [{ name: "write", policy: { kind: "edit", side_effect_level: "workspace_write" } }],
    },
    check: { kind: "verify", verify: { command: "make test" } },
    gate: { kind: "condition", metadata: { contains_text: "thought" } },
    ask: { kind: "stage", mode: "external" },
    give_up: { kind: "stage", mode: "external" },
  },
  edges: [
    { from: "fetch", to: "charge" },
    { from: "charge", to: "think" },
    { from: "think", to: "check" },
    { from: "check", to: "gate" },
    { from: "gate", to: "ask", branch: "true" },
    { from: "gate", to: "give_up", branch: "false" },
  ],
} as const;

const answers: Readonly<Record<string, JsonObject>> = {
  fetch: { status: "completed", text: "items", status_code: 200 },
  charge: { status: "completed", text: "charged" },
  think: {
    status: "completed",
    text: "thought",
    tools: { calls: [{ name: "write" }] },
    usage: { input_tokens: 10, output_tokens: 5, call_count: 1, total_cost: 0.5, models: ["m"] },
  },
  check: { status: "completed", text: "green", exit_status: 0, success: true },
  ask: { status: "completed", text: "yes", visible_text: "yes" },
};

/** Drives a run by hand to its end; returns the nodes in the order of their execution. */
export const driveByHand = async (
  client: Client,
  runId: string,
  given: Readonly<Record<string, JsonObject>> = answers,
): Promise<readonly string[]> => {
  const executed: string[] = [];
  let step = await client.advanceRun(runId);
  while (step.next !== null) {
    const { node_id: node, attempt_token: token } = step.next;
    executed.push(node);
    const result = given[node] ?? { status: "completed", text: node };
    step = await client.advanceRun(runId, { complete: { attempt_token: token, result } });
  }
  return executed;
};

/** A finished run of the graph above, driven by hand. */
export const outsideRun = async (client: Client): Promise<string> => {
  const { run_id: runId } = await client.createRun({ graph: OUTSIDE, task: "do it", drive: "manual" });
  await driveByHand(client, runId);
  return runId;
};

/** Waits until a run that Godwit drives has this status. */
export const untilStatus = (client: Client, runId: string, status: string): Promise<void> =>
  vi.waitFor(async () => expect((await client.getRun(runId)).status).toBe(status), { timeout: 90_000, interval: 50 });

/** The id of the checkpoint that was taken after a node's last execution; of the start for none. */
export const checkpointAfter = async (client: Client, runId: string, node?: string): Promise<string> => {
  const { checkpoints, stages } = await client.getRun(runId);
  const stage = stages.findLast(({ node_id }) => node_id === node);
  const found = checkpoints.find(({ last_stage_id }) => last_stage_id === (stage?.id ?? null));
  return found?.id ?? "";
};

/** The refusal of a call of the client. */
export const refusedWith = async (
  call: Promise<unknown>,
): Promise<{ status: number; code: string; detail: string }> => {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProblemError);
  const { status, code, detail } = (error as ProblemError).problem;
  return { status, code, detail };
};
