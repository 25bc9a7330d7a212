import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerOptions, type ServerProcess, startProcess } from "../../src/local/crash/server-process.ts";
import { openTarget, type Target } from "../../src/local/crash/target.ts";
import { freePort } from "../../src/local/port.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { stableUuid } from "../../src/lib/stable-uuid.ts";

/** Killed when so many spawns were answered; by then these are in all stages between their order and their end. */
const SPAWNED = 60;
const SENDERS = 8;
const PARENTS = 3;
const CHILDREN = 10;
const MAX_PARALLEL = 4;
const TURNS = 12;
const AGENTS = 6;

const call = (target: Target, path: string): JsonObject => ({
  mode: "http",
  http: { method: "POST", url: `http://${target.host}/${path}` },
});

const parentOf = (slow: Target, parent: number): JsonObject => {
  const names = Array.from({ length: CHILDREN }, (_, index) => `child_${index}`);
  return {
    entry: "fork",
    nodes: {
      fork: { kind: "fork" },
      ...Object.fromEntries(
        names.map((name) => [name, { ...call(slow, `parent-${parent}/${name}-of-${parent}`), kind: "subagent" }]),
      ),
      join: { kind: "join" },
    },
    edges: names.flatMap((name) => [
      { from: "fork", to: name },
      { from: name, to: "join" },
    ]),
  };
};

/** Calls a slow tool once in each turn. */
const agentOf = (tools: Target): JsonObject => ({
  provider: "scripted",
  max_iterations: TURNS + 1,
  tools: [
    {
      name: "work",
      description: "Works",
      parameters: { type: "object", properties: { n: { type: "string" } } },
      http: { method: "POST", url: `http://${tools.host}/tool/{{args.n}}` },
    },
  ],
  script: {
    replies: [
      ...Array.from({ length: TURNS }, (_, at) => ({
        when: { turn: at + 1 },
        text: "",
        tool_calls: [{ name: "work", arguments: { n: `call-${at}` } }],
      })),
      { text: "all done" },
    ],
  },
});

let state: string;
let fast: Target;
let slow: Target;
let tools: Target;
let options: ServerOptions;
let server: ServerProcess;
let parents: readonly string[];
let agents: readonly string[];
const answered: string[] = [];
/** Workers and tool calls whose end the API had shown before the process was killed. */
let ended: ReadonlySet<string>;
let recorded: ReadonlySet<string>;
let callsBefore: number;

const runOf = (workerId: string): string => stableUuid(`cycle:${workerId}:1`);

const workerNow = async (id: string): Promise<JsonObject> => (await server.api.client.workers.get(id)) as JsonObject;

/** Asks until something is so, for half a minute at most, and gives what was seen last. */
const seen = async <Seen>(ask: () => Promise<Seen>, is: (now: Seen) => boolean): Promise<Seen> => {
  let now = await ask();
  for (let patience = 600; patience > 0 && !is(now); patience -= 1) {
    await pause(50);
    now = await ask();
  }
  return now;
};

const rested = (id: string): Promise<JsonObject> =>
  seen(
    () => workerNow(id),
    ({ status, suspension }) => status !== "suspended" || (suspension as JsonObject | null)?.["quiesced_at"] != null,
  );

const settledWorker = (id: string): Promise<JsonObject> =>
  seen(
    () => workerNow(id),
    ({ status }) => status !== "running",
  );

/** Spawns one worker after the other until the server is gone. */
const spawnOn = async (sender: number): Promise<void> => {
  for (let number = 0; ; number += 1) {
    try {
      const node = call(fast, `worker-${sender}-${number}`);
      answered.push(String(((await server.api.client.workers.spawn({ task: "survive", node })) as JsonObject)["id"]));
    } catch {
      return;
    }
  }
};

const recordedCalls = async (): Promise<ReadonlySet<string>> => {
  const pages = await Promise.all(agents.map((id) => server.api.client.toolCalls.list(runOf(id))));
  return new Set(pages.flatMap(({ items }) => items.map((one) => one.idempotency_key ?? "")));
};

const endedWorkers = async (): Promise<ReadonlySet<string>> => {
  const all = await Promise.all(answered.slice(0, SPAWNED / 2).map(workerNow));
  return new Set(all.filter(({ status }) => status === "completed").map(({ id }) => runOf(String(id))));
};

/** How often each idempotency key was seen. */
const callsByKey = (target: Target): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const { key } of target.calls) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
};

/** Six agents: two at work, two asked to rest, two resumed. */
const startAgents = async (): Promise<void> => {
  const { workers } = server.api.client;
  const spawned = Array.from({ length: AGENTS }, () => workers.spawn({ task: "count", sub_agent: agentOf(tools) }));
  agents = (await Promise.all(spawned)).map((worker) => String((worker as JsonObject)["id"]));
  await tools.reached(2 * AGENTS);
};

const restTwo = async (): Promise<void> => {
  for (const id of agents.slice(4)) {
    await server.api.client.workers.suspend(id);
    await rested(id);
  }
};

const suspendAndResume = async (): Promise<void> => {
  const { workers } = server.api.client;
  await Promise.all([
    ...agents.slice(4).map((id) => workers.resume(id)),
    ...agents.slice(2, 4).map((id) => workers.suspend(id)),
  ]);
};

const startParents = async (): Promise<void> => {
  const graphs = Array.from({ length: PARENTS }, (_, parent) => parentOf(slow, parent));
  const started = graphs.map((graph) =>
    server.api.client.createRun({ graph, task: "survive", options: { max_parallel: MAX_PARALLEL } }),
  );
  parents = (await Promise.all(started)).map(({ run_id }) => run_id);
  // Some children have reported, others are at work, more are to be spawned.
  await slow.reached(PARENTS * MAX_PARALLEL + 1);
};

beforeAll(async () => {
  state = mkdtempSync(join(tmpdir(), "godwit-kill-"));
  [fast, slow, tools] = await Promise.all([openTarget(5), openTarget(600), openTarget(400)]);
  const variables = { GODWIT_ALLOW_PRIVATE_HOSTS: [fast, slow, tools].map(({ host }) => host).join(",") };
  options = { state, port: await freePort("127.0.0.1"), key: "gwroot_of_a_test", variables };
  server = await startProcess(options);
  const senders = Array.from({ length: SENDERS }, (_, sender) => spawnOn(sender));
  while (answered.length < SPAWNED) await pause(5);
  await startAgents();
  await restTwo();
  [ended, recorded] = await Promise.all([endedWorkers(), recordedCalls()]);
  await startParents();
  await suspendAndResume();
  callsBefore = slow.calls.length;
  await server.kill("tree");
  await Promise.all(senders);
  server = await startProcess(options);
}, 90_000);

afterAll(async () => {
  await server.stop();
  await Promise.all([fast, slow, tools].map((target) => target.close()));
  rmSync(state, { recursive: true, force: true, maxRetries: 5 });
});

describe("a server that is killed while workers are at work", () => {
  it("[L-32] brings every worker that was answered to its end, with nothing done again that was recorded", async () => {
    const all = await Promise.all(answered.map(settledWorker));
    expect(answered.length).toBeGreaterThanOrEqual(SPAWNED);
    expect(all.filter(({ status }) => status !== "completed")).toEqual([]);
    const counts = callsByKey(fast);
    expect([...counts.values()].every((count) => count <= 2)).toBe(true);
    const repeated = new Set([...counts].filter(([, count]) => count > 1).map(([key]) => key.split(":")[0]));
    expect(ended.size).toBeGreaterThan(0);
    expect([...ended].filter((run) => repeated.has(run))).toEqual([]);
  });

  it("[L-13] tells of each of them once that it was spawned and that it has ended", async () => {
    const told = await Promise.all(answered.map((id) => server.api.client.workers.events(id)));
    const names = told.map(({ items }) => items.map(({ event }) => event).join(" "));
    expect(new Set(names)).toEqual(new Set(["WorkerSpawned WorkerCompleted"]));
  });

  it("[L-14] gives each subagent stage of a parent one result, of one worker", async () => {
    expect(callsBefore).toBeLessThan(PARENTS * CHILDREN);
    for (const id of parents) {
      const { client } = server.api;
      const run = await seen(
        () => client.getRun(id),
        ({ status }) => status !== "running",
      );
      expect(run.status).toBe("completed");
      const stages = run.stages.filter(({ kind }) => kind === "subagent");
      expect(new Set(stages.map(({ node_id }) => node_id)).size).toBe(CHILDREN);
      expect(stages.map(({ outcome }) => outcome)).toEqual(Array(CHILDREN).fill("subagent_completed"));
      expect(run.child_runs).toHaveLength(CHILDREN);
      const children = await seen(
        () => client.workers.list({ parent_run_id: id }),
        ({ items }) => items.length === CHILDREN && items.every(({ status }) => status === "completed"),
      );
      expect(children.items.map(({ status }) => status)).toEqual(Array(CHILDREN).fill("completed"));
    }
    const counts = callsByKey(slow);
    expect(counts.size).toBe(PARENTS * CHILDREN);
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(2);
  });

  it("[L-17] lets those rest that were suspended, and goes on with those that were resumed, step by step", async () => {
    const now = await Promise.all(agents.map(rested));
    const suspended = now.filter(({ status }) => status === "suspended").map(({ id }) => String(id));
    expect(suspended).toEqual(agents.slice(2, 4));
    await Promise.all(suspended.map((id) => server.api.client.workers.resume(id)));
    const all = await Promise.all(agents.map(settledWorker));
    expect(all.map(({ status }) => status)).toEqual(Array(AGENTS).fill("completed"));
    for (const id of agents) {
      const { items } = await server.api.client.toolCalls.list(runOf(id));
      expect(items.map(({ status }) => status)).toEqual(Array(TURNS).fill("ok"));
      const mine = new Set(items.map((one) => one.idempotency_key));
      const counts = [...callsByKey(tools)].filter(([key]) => mine.has(key));
      expect(counts).toHaveLength(TURNS);
      const repeated = counts.filter(([, count]) => count > 1);
      expect(repeated.filter(([key, count]) => count > 2 || recorded.has(key))).toEqual([]);
      expect(repeated.length).toBeLessThanOrEqual(1);
    }
    expect(recorded.size).toBeGreaterThan(0);
  });
});
