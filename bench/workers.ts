import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../src/lib/json.ts";
import { stableUuid } from "../src/lib/stable-uuid.ts";
import type { Api } from "../src/local/api.ts";
import { startProcess } from "../src/local/crash/server-process.ts";
import { openTarget, type Target } from "../src/local/crash/target.ts";
import { freePort } from "../src/local/port.ts";
import { inParallel, quantile, rounded } from "./statistics.ts";

// Workers on the local server as it is. Every time is the server's own, from what its objects recorded, except those of answers.

const SINGLE = 100;
const MANY = 400;
const WARM_UP = 50;
const CONNECTIONS = 16;
const CHILDREN = 100;
const MAX_PARALLEL = 64;
const AGENTS = 20;
const TURNS = 10;
const SUSPENSIONS = 15;
/** More than a worker takes before it is suspended and after it is resumed. */
const LONG = 400;
/** What a call of a suspended agent's tool takes. */
const TOOL_MS = 5;
const PATIENCE_MS = 120_000;

type Print = (line: Readonly<Record<string, unknown>>) => void;

const ECHO = { kind: "stage", mode: "function", function: "echo" };

const agent = (turns: number, tool: JsonObject = { name: "echo" }): JsonObject => ({
  provider: "scripted",
  tools: [tool],
  max_iterations: turns + 1,
  script: {
    replies: [
      ...Array.from({ length: turns }, (_, at) => ({
        when: { turn: at + 1 },
        text: "",
        tool_calls: [{ name: tool["name"] ?? "", arguments: { text: String(at) } }],
      })),
      { text: "all done" },
    ],
  },
});

const millis = (at: unknown): number => Date.parse(String(at));

const idOf = (worker: JsonObject): string => String(worker["id"]);

/** Asks until what was asked for is there. */
const until = async <Found>(ask: () => Promise<Found | null>, what: string): Promise<Found> => {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(10)) {
    const found = await ask();
    if (found !== null) return found;
  }
  throw new Error(`${what} took too long`);
};

const completed = ({ client }: Api, id: string): Promise<JsonObject> =>
  until(async () => {
    const worker = (await client.workers.get(id)) as JsonObject;
    if (worker["status"] === "running") return null;
    const isFine = worker["status"] === "completed" && (worker["result"] as JsonObject | null)?.["ok"] !== false;
    if (!isFine) throw new Error(`worker ${id} is ${String(worker["status"])}: ${JSON.stringify(worker["result"])}`);
    return worker;
  }, `worker ${id}`);

interface Spawned {
  readonly id: string;
  readonly took_ms: number;
}

const spawn = async ({ client }: Api, config: JsonObject): Promise<Spawned> => {
  const started = performance.now();
  const worker = (await client.workers.spawn(config)) as JsonObject;
  return { id: idOf(worker), took_ms: performance.now() - started };
};

const printTimes = (print: Print, figure: string, times: readonly number[]): void => {
  for (const [name, fraction] of [
    ["p50", 0.5],
    ["p99", 0.99],
  ] as const)
    print({
      figure: `${figure}, ${name}`,
      unit: "ms",
      value: rounded(quantile(times, fraction)),
      samples: times.length,
    });
};

/** The run of a worker's first cycle. */
const runOf = (workerId: string): string => stableUuid(`cycle:${workerId}:1`);

const firstStageAt = async ({ client }: Api, workerId: string): Promise<number> =>
  millis((await client.getRun(runOf(workerId))).stages[0]?.started_at);

const single = async (api: Api, print: Print): Promise<void> => {
  const answers: number[] = [];
  const began: number[] = [];
  const staged: number[] = [];
  const ended: number[] = [];
  for (let count = 0; count < SINGLE; count++) {
    const { id, took_ms } = await spawn(api, { task: "bench", node: ECHO });
    const worker = await completed(api, id);
    const { items } = await api.client.workers.events(id);
    const created = millis(worker["created_at"]);
    answers.push(took_ms);
    began.push(millis(items.find(({ event }) => event === "WorkerSpawned")?.at) - created);
    ended.push(millis(worker["finished_at"]) - created);
    staged.push((await firstStageAt(api, id)) - created);
  }
  printTimes(print, "worker, answer to its spawn, one at a time", answers);
  printTimes(print, "worker, from created to WorkerSpawned", began);
  printTimes(print, "worker, from created to the first stage", staged);
  printTimes(print, "worker, from created to its end", ended);
};

const many = async (api: Api, print: Print): Promise<void> => {
  const spawned: Spawned[] = [];
  const started = Date.now();
  await inParallel(MANY, CONNECTIONS, async () => {
    spawned.push(await spawn(api, { task: "bench", node: ECHO }));
  });
  const answered = Date.now() - started;
  let last = 0;
  await inParallel(MANY, CONNECTIONS, async (index) => {
    const worker = await completed(api, spawned[index]?.id ?? "");
    last = Math.max(last, millis(worker["finished_at"]));
  });
  const common = { workers: MANY, connections: CONNECTIONS };
  const perSecond = (ms: number): number => rounded(MANY / (ms / 1_000));
  print({ figure: "workers, spawned", unit: "workers/s", value: perSecond(answered), ...common });
  print({ figure: "workers, spawned and ended", unit: "workers/s", value: perSecond(last - started), ...common });
  printTimes(
    print,
    `worker, answer to its spawn, ${CONNECTIONS} at a time`,
    spawned.map(({ took_ms }) => took_ms),
  );
};

const family = (): JsonObject => {
  const names = Array.from({ length: CHILDREN }, (_, index) => `child_${index}`);
  return {
    entry: "fork",
    nodes: {
      fork: { kind: "fork" },
      ...Object.fromEntries(names.map((name) => [name, { ...ECHO, kind: "subagent" }])),
      join: { kind: "join" },
    },
    edges: names.flatMap((name) => [
      { from: "fork", to: name },
      { from: name, to: "join" },
    ]),
  };
};

const children = async ({ client }: Api, print: Print): Promise<void> => {
  const { run_id: id } = await client.createRun({
    graph: family(),
    task: "bench",
    options: { max_parallel: MAX_PARALLEL, max_steps: 2 * CHILDREN },
  });
  const run = await until(async () => {
    const record = await client.getRun(id);
    return record.status === "running" ? null : record;
  }, `run ${id}`);
  const done = run.stages.filter(({ outcome }) => outcome === "subagent_completed").length;
  if (done !== CHILDREN) throw new Error(`${done} of ${CHILDREN} subagent stages were completed`);
  const took = millis(run.finished_at) - millis(run.started_at);
  const common = { children: CHILDREN, max_parallel: MAX_PARALLEL };
  print({ figure: `a run with ${CHILDREN} subagents`, unit: "ms", value: rounded(took), ...common });
  print({
    figure: `a run with ${CHILDREN} subagents, for each`,
    unit: "ms",
    value: rounded(took / CHILDREN),
    ...common,
  });
};

const agents = async (api: Api, print: Print): Promise<void> => {
  const times: number[] = [];
  for (let count = 0; count < AGENTS; count++) {
    const { id } = await spawn(api, { task: "bench", sub_agent: agent(TURNS) });
    const worker = await completed(api, id);
    times.push(millis(worker["finished_at"]) - millis(worker["created_at"]));
  }
  printTimes(print, `agent of ${TURNS} turns with a tool each, from created to its end`, times);
};

/** A call over the network, which takes its time: what is suspended has something under way. */
const slowTool = ({ host }: Target): JsonObject => ({
  name: "work",
  description: "Works",
  parameters: { type: "object", properties: { text: { type: "string" } } },
  http: { method: "POST", url: `http://${host}/work/{{args.text}}` },
});

/** When an agent's run recorded a step for the first time after a moment. */
const stepAfter = async ({ client }: Api, runId: string, moment: number): Promise<number | null> => {
  for (let after: string | null | undefined; after !== null;) {
    const page = await client.listEvents(runId, { limit: 1_000, after });
    const step = page.items.find(({ type, at }) => type.startsWith("agent_step") && millis(at) >= moment);
    if (step !== undefined) return millis(step.at);
    after = page.next_cursor;
  }
  return null;
};

const suspensions = async (api: Api, print: Print, target: Target): Promise<void> => {
  const { workers } = api.client;
  const config = { task: "bench", sub_agent: agent(LONG, slowTool(target)) };
  const rests: number[] = [];
  const goes: number[] = [];
  for (let count = 0; count < SUSPENSIONS; count++) {
    const { id } = await spawn(api, config);
    await workers.suspend(id);
    const rest = await until(async () => {
      const suspension = ((await workers.get(id)) as JsonObject)["suspension"] as JsonObject | null;
      return suspension?.["quiesced_at"] == null ? null : suspension;
    }, `the suspension of ${id}`);
    rests.push(millis(rest["quiesced_at"]) - millis(rest["suspended_at"]));
    await workers.resume(id);
    const { items } = await workers.events(id);
    const resumed = millis(items.find(({ event }) => event === "WorkerResumed")?.at);
    goes.push((await until(() => stepAfter(api, runOf(id), resumed), "a step")) - resumed);
    await workers.close(id);
  }
  printTimes(print, "agent, from its suspension to its rest", rests);
  printTimes(print, "agent, from its resumption to its next step", goes);
};

/** Times of workers, their children, suspensions and resumptions; one line for each figure. */
export const benchWorkers = async (print: Print): Promise<void> => {
  const state = mkdtempSync(join(tmpdir(), "godwit-bench-"));
  const key = `gwroot_${randomBytes(32).toString("base64url")}`;
  const target = await openTarget(TOOL_MS);
  const variables = { GODWIT_ALLOW_PRIVATE_HOSTS: target.host };
  const server = await startProcess({ state, port: await freePort("127.0.0.1"), key, variables });
  try {
    const { api } = server;
    for (let count = 0; count < WARM_UP; count++)
      await completed(api, (await spawn(api, { task: "warm up", node: ECHO })).id);
    for (const measure of [single, many, children, agents]) await measure(api, print);
    await suspensions(api, print, target);
  } finally {
    await server.stop();
    await target.close();
    rmSync(state, { recursive: true, force: true, maxRetries: 5 });
  }
};
