import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import type { RunObject } from "../../src/http/run-object.ts";
import { clientFor, post } from "./http-setup.ts";

const client = clientFor();

/** The object of a run of the default tenant. */
export const objectOf = (runId: string): DurableObjectStub & RunObject =>
  env.WORKFLOW_RUN.getByName(`default/${runId}`) as unknown as DurableObjectStub & RunObject;

/** Starts a run of a graph and gives its id. */
export const startRun = async (graph: JsonObject, options: JsonObject = {}): Promise<string> => {
  const id = `wf-${crypto.randomUUID()}`;
  const run = await client.createRun({
    graph: { _type: "workflow_graph", id, ...graph },
    task: "do it",
    options,
  } as never);
  return run.run_id;
};

/** The record of a run once it has this status; polled, as a client would. */
export const runWith = async (
  runId: string,
  status: string,
  timeout = 20_000,
): Promise<Awaited<ReturnType<typeof client.getRun>>> => {
  await expect.poll(async () => (await client.getRun(runId)).status, { timeout, interval: 50 }).toBe(status);
  return client.getRun(runId);
};

/** Waits until the run waits for this, and gives what its record says of it. */
export const waitingRun = async (
  runId: string,
  reason: string,
): Promise<{ readonly stage_id: string; readonly until: string | null }> => {
  await expect
    .poll(async () => (await client.getRun(runId)).waiting?.reason, { timeout: 10_000, interval: 25 })
    .toBe(reason);
  const { waiting } = await client.getRun(runId);
  if (waiting == null) throw new Error("the run goes on");
  return waiting;
};

/** The answer to a POST that must succeed. */
export const answered = async (path: string, body: unknown): Promise<JsonObject> => {
  const response = await post(path, body);
  const answer = await response.json();
  if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
  return answer as JsonObject;
};
