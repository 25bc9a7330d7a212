import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTarget, type Target } from "../../src/local/crash/target.ts";
import { type ServerOptions, type ServerProcess, startProcess } from "../../src/local/crash/server-process.ts";
import type { Api } from "../../src/local/api.ts";
import { freePort } from "../../src/local/port.ts";
import type { LiveEventDocument } from "../../src/schema/api-run.ts";

const BRANCHES = 2_000;
/** The most branches that are at work at a time, and so the most that may be called twice. */
const IN_FLIGHT = 64;
const TURNS = 5;
const NAP_MS = 4_000;

const call = (target: Target, path: string) => ({
  mode: "http",
  http: { method: "POST", url: `http://${target.host}/${path}` },
});

const mapOf = (fast: Target) => ({
  id: "kill-map",
  entry: "map",
  nodes: {
    map: {
      ...call(fast, "{{input.text}}"),
      kind: "map",
      map_policy: { items: Array.from({ length: BRANCHES }, (_, index) => `item-${index}`) },
    },
  },
});

const forkOf = (slow: Target) => ({
  id: "kill-fork",
  entry: "fork",
  nodes: {
    fork: { kind: "fork" },
    a: call(slow, "a"),
    b: call(slow, "b"),
    c: call(slow, "c"),
    join: { kind: "join" },
  },
  edges: ["a", "b", "c"].flatMap((node) => [
    { from: "fork", to: node },
    { from: node, to: "join" },
  ]),
});

const turn = (number: number, name: string, args: object) => ({
  when: { turn: number },
  text: "",
  tool_calls: [{ name, arguments: args }],
});

const agent = (tools: readonly object[], replies: readonly object[], more: object = {}) => ({
  mode: "agent",
  tools,
  model_policy: { provider: "scripted" },
  script: { replies: [...replies, { text: "all done" }] },
  ...more,
});

/** Calls a slow tool once in each turn. */
const loopOf = (slow: Target) => ({
  id: "kill-loop",
  entry: "loop",
  nodes: {
    loop: agent(
      [
        {
          name: "work",
          description: "Works",
          parameters: { type: "object", properties: { n: { type: "string" } } },
          http: { method: "POST", url: `http://${slow.host}/tool/{{args.n}}` },
        },
      ],
      Array.from({ length: TURNS }, (_, index) => turn(index + 1, "work", { n: `call-${index + 1}` })),
    ),
  },
});

/** Waits for a message, sleeps, and asks a person, side by side. */
const WAITING = {
  id: "kill-waiting",
  entry: "fork",
  nodes: {
    fork: { kind: "fork" },
    hears: { mode: "wait", wait: { message: "go", timeout_ms: 60_000 } },
    naps: { mode: "sleep", sleep: { ms: NAP_MS } },
    asks: agent([{ name: "echo" }], [turn(1, "echo", { text: "may I?" })], {
      approval_policy: { require_approval: ["echo"] },
    }),
    join: { kind: "join" },
  },
  edges: ["hears", "naps", "asks"].flatMap((node) => [
    { from: "fork", to: node },
    { from: node, to: "join" },
  ]),
};

let state: string;
let fast: Target;
let slow: Target;
let options: ServerOptions;
let server: ServerProcess;
let runs: { map: string; fork: string; loop: string; waiting: string };
/** Branches whose end the API had shown, and tool calls, before the process was killed. */
let settled: ReadonlySet<string>;
let answered: ReadonlySet<string>;
let killedAt: number;
let watched: Promise<readonly LiveEventDocument[]>;

const follow = async (api: Api, run: string): Promise<readonly LiveEventDocument[]> => {
  const seen: LiveEventDocument[] = [];
  for await (const event of api.client.events(run)) seen.push(event);
  return seen;
};

const settledBranches = async ({ client }: Api, run: string): Promise<ReadonlySet<string>> => {
  const ids: string[] = [];
  for (let after: string | null | undefined; after !== null;) {
    const page = await client.listEvents(run, { limit: 1_000, after });
    ids.push(...page.items.filter(({ type }) => type === "branch_settled").map(({ data }) => String(data["stage_id"])));
    after = page.next_cursor;
  }
  return new Set(ids);
};

const toolCalls = async (run: string) => (await server.api.client.toolCalls.list(run)).items;

const completed = async (run: string) => {
  for (let patience = 300; patience > 0; patience -= 1) {
    const record = await server.api.client.getRun(run);
    if (record.status !== "running") return record;
    await pause(100);
  }
  return server.api.client.getRun(run);
};

/** How often each idempotency key was seen. */
const callsByKey = (target: Target): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const { key } of target.calls) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
};

const repeatedKeys = (target: Target): readonly string[] =>
  [...callsByKey(target)].filter(([, count]) => count > 1).map(([key]) => key);

beforeAll(async () => {
  state = mkdtempSync(join(tmpdir(), "godwit-kill-"));
  [fast, slow] = await Promise.all([openTarget(5), openTarget(700)]);
  const variables = { GODWIT_ALLOW_PRIVATE_HOSTS: `${fast.host},${slow.host}` };
  options = { state, port: await freePort("127.0.0.1"), key: "gwroot_of_a_test", variables };
  server = await startProcess(options);
  const create = async (graph: object, parallel?: object): Promise<string> =>
    (await server.api.client.createRun({ graph, task: "survive", options: { ...parallel } })).run_id;
  const waiting = await create(WAITING, { max_parallel: 3 });
  const loop = await create(loopOf(slow));
  await slow.reached(2);
  const fork = await create(forkOf(slow), { max_parallel: 3 });
  const map = await create(mapOf(fast));
  watched = follow(server.api, map);
  runs = { map, fork, loop, waiting };
  await Promise.all([slow.reached(5), fast.reached(200)]);
  settled = await settledBranches(server.api, map);
  answered = new Set((await toolCalls(loop)).map((one) => one.idempotency_key ?? ""));
  killedAt = fast.calls.length;
  await server.kill("tree");
  server = await startProcess(options);
}, 60_000);

afterAll(async () => {
  await server.stop();
  await Promise.all([fast.close(), slow.close()]);
  rmSync(state, { recursive: true, force: true, maxRetries: 5 });
});

describe("a server that is killed while much is under way at once", () => {
  it("[W-6.6] goes on with a map and repeats none of its finished branches", async () => {
    const run = await completed(runs.map);
    expect(killedAt).toBeLessThan(BRANCHES);
    expect(settled.size).toBeGreaterThan(0);
    expect(run.status).toBe("completed");
    expect(run.stages).toMatchObject([{ visible_text: `mapped ${BRANCHES} of ${BRANCHES} items`, branch: "mapped" }]);
    expect(callsByKey(fast).size).toBe(BRANCHES);
    const repeated = repeatedKeys(fast);
    expect(repeated.filter((key) => settled.has(key))).toEqual([]);
    expect(repeated.length).toBeLessThanOrEqual(IN_FLIGHT);
    expect(fast.calls.length).toBe(BRANCHES + repeated.length);
  });

  it("[api] is followed by a client over its restart, event by event", async () => {
    const events = await watched;
    const ids = events.flatMap(({ id }) => (id === null ? [] : [id]));
    expect(new Set(ids).size).toBe(ids.length);
    expect(events.filter(({ type }) => type === "branch_settled")).toHaveLength(BRANCHES);
    expect(events.some(({ type }) => type === "run_finalized")).toBe(true);
  });

  it("[W-10.7] goes on with an agent's loop after its last recorded step", async () => {
    const run = await completed(runs.loop);
    expect(run.stages).toMatchObject([{ status: "completed", visible_text: "all done" }]);
    const calls = await toolCalls(runs.loop);
    expect(calls.map(({ status }) => status)).toEqual(Array.from({ length: TURNS }, () => "ok"));
    expect(answered.size).toBeGreaterThan(0);
    const repeated = repeatedKeys(slow).filter((key) => key.startsWith(runs.loop));
    expect(repeated.length).toBeLessThanOrEqual(1);
    expect(repeated.filter((key) => answered.has(key))).toEqual([]);
  });

  it("[W-6.9] executes stages that were at work side by side once more, visibly and under the same keys", async () => {
    const run = await completed(runs.fork);
    expect(run.stages.map(({ node_id }) => node_id).toSorted()).toEqual(["a", "b", "c", "fork", "join"]);
    const mine = [...callsByKey(slow)].filter(([key]) => key.startsWith(runs.fork));
    expect(mine).toHaveLength(3);
    for (const [key, count] of mine) {
      const attempts = run.stages.find(({ id }) => id === key)?.attempts ?? [];
      expect(attempts.map(({ outcome }) => outcome)).toEqual(count === 1 ? ["success"] : ["lost", "success"]);
    }
  });

  it("[W-5] still hears, sleeps to its time and takes an approval once", async () => {
    const { client } = server.api;
    await client.mailboxes.signal(WAITING.id, { name: "go", payload: { by: "ada" } });
    const [asked] = (await client.toolCalls.list(runs.waiting, { status: "waiting" })).items;
    expect(asked).toMatchObject({ tool_name: "echo", reason: "approval" });
    const approve = () =>
      client.toolCalls.respond(
        { run_id: runs.waiting, call_id: asked?.call_id ?? "" },
        { approved: true },
        { idempotency_key: "approve-once" },
      );
    expect(await approve()).toEqual(await approve());
    const run = await completed(runs.waiting);
    expect(run.status).toBe("completed");
    const stage = (node: string) => run.stages.find(({ node_id }) => node_id === node);
    expect(stage("hears")).toMatchObject({ branch: "success", visible_text: '{"by":"ada"}' });
    expect(stage("asks")).toMatchObject({ status: "completed", visible_text: "all done" });
    const { started_at: from = "", finished_at: to = "" } = stage("naps") ?? {};
    expect(Date.parse(to ?? "") - Date.parse(from)).toBeGreaterThanOrEqual(NAP_MS);
    expect((await toolCalls(runs.waiting)).map(({ status }) => status)).toEqual(["ok"]);
  });
});
