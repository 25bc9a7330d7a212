import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { type DrivenRun, driveRun } from "../../src/driver/drive.ts";
import { createExecutor } from "../../src/executor/executor.ts";
import { functions } from "../../src/functions.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { decodeGraph } from "../../src/schema/graph.ts";
import { decodeRunOptions } from "../../src/schema/run.ts";
import { tools } from "../../src/tools.ts";
import { clientFor, get, migrateDatabase, post, refusal } from "./http-setup.ts";
import { answered, objectOf, runWith, startRun, waitingRun } from "./run-setup.ts";

const client = clientFor();

beforeAll(migrateDatabase);

const CLIENT_TOOL = {
  name: "ask_user",
  description: "Asks a person.",
  client: true,
  parameters: { type: "object", properties: { question: { type: "string" } } },
};

/** An agent that asks this of its tools, turn by turn, and then says that it is done. */
const agent = (turns: readonly JsonObject[], tools: readonly JsonObject[]): JsonObject => ({
  kind: "stage",
  mode: "agent",
  prompt: "Work",
  model_policy: { provider: "scripted" },
  tools,
  script: {
    replies: [
      ...turns.map((call, at) => ({ when: { turn: at + 1 }, text: `turn ${at + 1}`, tool_calls: [call] })),
      { text: "all done" },
    ],
  },
});

const graphOf = (node: JsonObject): JsonObject => ({ entry: "work", nodes: { work: node }, edges: [] });

const callsOf = async (runId: string, query = ""): Promise<readonly JsonObject[]> =>
  ((await (await get(`/v1/runs/${runId}/tool_calls${query}`)).json()) as { items: readonly JsonObject[] }).items;

const ASKS = graphOf(agent([{ name: "ask_user", arguments: { question: "which?" } }], [CLIENT_TOOL]));

describe("an agent stage of a run", () => {
  it("[W-6.8] calls its tools step by step and ends with what it said", async () => {
    const runId = await startRun(graphOf(agent([{ name: "echo", arguments: { text: "hi" } }], [{ name: "echo" }])));
    const run = await runWith(runId, "completed");
    expect(run.stages[0]).toMatchObject({ status: "completed", visible_text: "all done" });
    expect(run.tool_recordings).toMatchObject([{ tool_name: "echo", result: "hi", is_rejected: false }]);
    expect(await callsOf(runId)).toMatchObject([{ tool_name: "echo", status: "ok", node_id: "work", result: "hi" }]);
    const { transcript } = await client.getTranscript(runId);
    expect(JSON.stringify(transcript)).toContain("all done");
  });

  it("[W-10.7] waits for its client's tool, and goes on with the answer", async () => {
    const runId = await startRun(ASKS);
    const { stage_id } = await waitingRun(runId, "tool_call");
    const [call] = await callsOf(runId, "?status=waiting");
    expect(call).toMatchObject({
      tool_name: "ask_user",
      status: "waiting",
      reason: "client_tool",
      stage_id,
      arguments: { question: "which?" },
    });
    const path = `/v1/runs/${runId}/tool_calls/${String(call?.["call_id"])}/respond`;
    expect(await answered(path, { result: "the red one" })).toMatchObject({ run_id: runId, status: "running" });
    const run = await runWith(runId, "completed");
    expect(run.stages[0]?.attempts).toMatchObject([
      { attempt: 1, outcome: "waiting" },
      { attempt: 2, status: "completed" },
    ]);
    expect(JSON.stringify(run.stages[0]?.transcript)).toContain("the red one");
    expect(await callsOf(runId)).toMatchObject([{ tool_name: "ask_user", status: "ok", result: "the red one" }]);
    expect(await refusal(post(path, { result: "again" }))).toMatchObject({ status: 409, code: "invalid_transition" });
  });

  it("[I5] takes a repeated answer under its idempotency key once", async () => {
    const runId = await startRun(ASKS);
    await waitingRun(runId, "tool_call");
    const [call] = await callsOf(runId, "?status=waiting");
    const path = `/v1/runs/${runId}/tool_calls/${String(call?.["call_id"])}/respond`;
    const key = { "Idempotency-Key": "answer-1" };
    const first = await (await post(path, { result: 1 }, key)).json();
    expect(await (await post(path, { result: 1 }, key)).json()).toEqual(first);
    expect(await refusal(post(path, { result: 2 }, key))).toMatchObject({
      status: 409,
      code: "idempotency_key_reused",
    });
    await runWith(runId, "completed");
  });

  const bad: readonly (readonly [string, unknown, string])[] = [
    ["nothing", {}, "result"],
    ["a result and an approval", { result: 1, approved: true }, "result"],
    ["an approval that is no yes or no", { approved: "yes" }, "approved"],
    ["a reason that is no text", { approved: false, reason: 1 }, "reason"],
    ["arguments that are no object", { approved: true, arguments: [1] }, "arguments"],
    ["an empty stage", { result: 1, stage_id: "" }, "stage_id"],
  ];

  it("[api] refuses answers that make no sense, with the path of what is wrong", async () => {
    const runId = await startRun(ASKS);
    await waitingRun(runId, "tool_call");
    const [call] = await callsOf(runId, "?status=waiting");
    const path = `/v1/runs/${runId}/tool_calls/${String(call?.["call_id"])}/respond`;
    for (const [, body, field] of bad) {
      const answer = await refusal(post(path, body));
      expect(answer).toMatchObject({ status: 400, code: "invalid_request" });
      expect((answer.details as { issues: { path: string }[] }).issues.map((issue) => issue.path)).toContain(field);
    }
    expect(await refusal(post(path, { approved: true }))).toMatchObject({ status: 400, code: "invalid_request" });
    expect(await refusal(post(`/v1/runs/${runId}/tool_calls/nobody/respond`, { result: 1 }))).toMatchObject({
      status: 404,
      code: "tool_call_not_found",
    });
    expect(await refusal(post("/v1/runs/nobody/tool_calls/c/respond", { result: 1 }))).toMatchObject({ status: 404 });
    expect(await callsOf(runId, "?status=waiting")).toHaveLength(1);
  });
});

describe("a call that needs an approval", () => {
  const pending = { call_id: "c1", tool_name: "pay", arguments: { cents: 5 }, reason: "approval", iteration: 1 };

  it.each([
    [{ approved: true }],
    [{ approved: false, reason: "too dear" }],
    [{ approved: true, arguments: { cents: 1 } }],
  ])("[W-10.4] is answered with %j, which the next attempt is given", async (approval) => {
    const graph = { _type: "workflow_graph", id: "pay", ...graphOf(agent([], [CLIENT_TOOL])) };
    const { run_id: runId } = await client.createRun({ graph, task: "t", drive: "manual" } as never);
    const plan = await client.prepareStage(runId, "work");
    const parked = { __workflow_stage_parked: true, pending: [pending] };
    const complete = `/v1/runs/${runId}/stages/work/complete`;
    const broken = { attempt_token: plan.attempt_token, result: { ...parked, pending: [] } };
    expect(await refusal(post(complete, broken))).toMatchObject({ status: 400, code: "invalid_request" });
    await post(complete, { attempt_token: plan.attempt_token, result: parked });
    expect(await callsOf(runId, "?status=waiting")).toMatchObject([{ call_id: "c1", reason: "approval" }]);
    await answered(`/v1/runs/${runId}/tool_calls/c1/respond`, approval);
    const again = await client.prepareStage(runId, "work");
    expect(again).toMatchObject({ attempt: 2, progress: { approvals: { c1: approval } } });
    const done = { attempt_token: again.attempt_token, result: { status: "completed", text: "paid" } };
    expect(await client.completeStage(runId, "work", done)).toMatchObject({ branch: "success" });
  });
});

/** Drives the run until so many steps are recorded; then nothing of its driver arrives any more. */
const driveFor = async (runId: string, steps: number): Promise<string> => {
  let left = steps;
  const stub = env.WORKFLOW_RUN.getByName(`default/${runId}`) as unknown as DrivenRun;
  const alive = (): void => {
    if (left === 0) throw new Error("the driver has died");
  };
  const run = (): DrivenRun => ({
    advance: (request) => {
      if (request.complete !== undefined) alive();
      return stub.advance(request);
    },
    renew: (tokens) => stub.renew(tokens),
    showText: (text) => stub.showText(text),
    recordStep: async (numbered) => {
      alive();
      left -= 1;
      return stub.recordStep(numbered);
    },
  });
  const outcome = driveRun({
    run,
    executor: createExecutor({ env: {}, fetcher: fetch, functions, tools, now: () => Date.now() }),
    deadline: Date.now() + 60_000,
    takes_any: true,
    now: () => Date.now(),
    sleep: () => Promise.resolve(),
  });
  return outcome.then(
    ({ type }) => type,
    () => "died",
  );
};

describe("an agent whose driver dies", () => {
  const turns = [
    { name: "echo", arguments: { text: "one" } },
    { name: "echo", arguments: { text: "two" } },
  ];

  /** A run of the agent that no driver has been ordered for. */
  const idleRun = async (): Promise<string> => {
    const runId = crypto.randomUUID();
    const graph = decodeGraph({ id: "mortal", edges: [], ...graphOf(agent(turns, [{ name: "echo" }])) });
    const options = decodeRunOptions({});
    if (!graph.ok || !options.ok) throw new Error("the test's graph is not valid");
    const base = { tenant: "default", run_id: runId, task: "t", artifacts: [], drive: "auto" } as const;
    await objectOf(runId).request({ type: "create_run", ...base, graph: graph.value, options: options.value });
    return runId;
  };

  it.each([0, 1, 2, 3, 4, 5])("[architecture 3] after %i steps repeats none of them", async (steps) => {
    const runId = await idleRun();
    expect(await driveFor(runId, steps)).toBe("died");
    const before = (await callsOf(runId)).length;
    expect(before).toBe(Math.floor(steps / 2));
    // Another driver is ordered, as after a restart.
    await (objectOf(runId) as unknown as { recover: () => Promise<void> }).recover();
    const run = await runWith(runId, "completed");
    expect(run.tool_recordings.map(({ result }) => result)).toEqual(["one", "two"]);
    expect(run.stages[0]?.attempts).toMatchObject([{ outcome: "lost" }, { status: "completed" }]);
    const roles = ["user", "assistant", "tool_result", "assistant", "tool_result", "assistant"];
    expect(run.stages[0]?.transcript).toMatchObject({ messages: roles.map((role) => ({ role })) });
  });
});

describe("what an agent says while it works", () => {
  it("[api] is shown to who watches, and is in no list of events", async () => {
    const runId = await startRun(ASKS);
    await waitingRun(runId, "tool_call");
    const response = await get(`/v1/runs/${runId}/events`, { Upgrade: "websocket" });
    const socket = response.webSocket;
    const shown: JsonObject[] = [];
    socket?.addEventListener("message", ({ data }) => void shown.push(JSON.parse(String(data)) as JsonObject));
    socket?.accept();
    const [call] = await callsOf(runId, "?status=waiting");
    await answered(`/v1/runs/${runId}/tool_calls/${String(call?.["call_id"])}/respond`, { result: "x" });
    await runWith(runId, "completed");
    const texts = (): readonly unknown[] =>
      shown.filter(({ type }) => type === "text").map(({ data }) => (data as JsonObject)["text"]);
    await expect.poll(() => texts().join("")).toContain("all done");
    const { items } = await client.listEvents(runId, { limit: 100 });
    expect(items.map(({ type }) => type)).not.toContain("text");
    expect(items.map(({ type }) => type)).toContain("stage_parked");
    socket?.close();
  });
});

describe("the sessions of a run", () => {
  it("[W-14.3] are read, changed and forked while it goes on", async () => {
    const talk = {
      kind: "stage",
      mode: "llm",
      prompt: "Say",
      model_policy: { provider: "scripted", session_id: "talk" },
    };
    const runId = await startRun({
      entry: "a",
      nodes: {
        a: { ...talk, script: { replies: [{ text: "first answer" }] } },
        hold: { kind: "stage", mode: "external" },
        b: { ...talk, script: { replies: [{ text: "second answer" }] } },
      },
      edges: [
        { from: "a", to: "hold" },
        { from: "hold", to: "b" },
      ],
    });
    await waitingRun(runId, "external");
    const sessions = `/v1/runs/${runId}/sessions`;
    expect(await (await get(sessions)).json()).toMatchObject({ items: [{ session_id: "talk", length: 2 }] });
    expect(await (await get(`${sessions}/talk`)).json()).toMatchObject({
      messages: [{ role: "user" }, { role: "assistant", content: "first answer" }],
    });
    expect(await answered(`${sessions}/talk/fork`, { target_id: "side" })).toMatchObject({
      session_id: "side",
      length: 2,
    });
    await answered(`${sessions}/talk/inject`, { message: { role: "user", content: "mind this" } });
    expect(await refusal(get(`${sessions}/nobody`))).toMatchObject({ status: 404, code: "session_not_found" });
    const plan = await client.prepareStage(runId, "hold");
    await client.completeStage(runId, "hold", { attempt_token: plan.attempt_token, result: { text: "go" } });
    await runWith(runId, "completed");
    expect(await (await get(sessions)).json()).toMatchObject({
      items: [
        { session_id: "side", length: 2, parent_id: "talk" },
        { session_id: "talk", length: 5 },
      ],
    });
    expect(await refusal(post(`${sessions}/talk/reset`, {}))).toMatchObject({
      status: 409,
      code: "invalid_transition",
    });
    expect(JSON.stringify((await client.getTranscript(runId)).transcript)).toContain("second answer");
  });
});
