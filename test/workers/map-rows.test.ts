import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../../src/engine/machine.ts";
import type { AdvanceReply } from "../../src/engine/run/command.ts";
import type { RunObject } from "../../src/http/run-object.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { decodeGraph } from "../../src/schema/graph.ts";
import { decodeRunOptions } from "../../src/schema/run.ts";
import { migrateDatabase } from "./http-setup.ts";
import { runWith, startRun } from "./run-setup.ts";

const ITEMS = 10_000;

/** The budget: what a branch of a map may write at most, alarms included. */
const MAX_ROWS_PER_BRANCH = 2;

interface Inside {
  store: {
    write: (sql: string, ...bindings: unknown[]) => number;
    setAlarm: (at: number | null) => void;
  };
  advance: (request: { complete?: { attempt_token: string; result: JsonObject } }) => Answer<AdvanceReply>;
}

interface Cost {
  rows: number;
  alarms: number;
}

/** The run's object of a map over so many values, not started. */
const mapRun = async (node: JsonObject): Promise<DurableObjectStub & RunObject> => {
  const runId = crypto.randomUUID();
  const stub = env.WORKFLOW_RUN.getByName(`rows/${runId}`) as unknown as DurableObjectStub & RunObject;
  const items = Array.from({ length: ITEMS }, (_, index) => index);
  const m = { kind: "map", ...node, map_policy: { items } };
  const graph = decodeGraph({ id: "map", entry: "m", nodes: { m }, edges: [] });
  const options = decodeRunOptions({});
  if (!graph.ok || !options.ok) throw new Error("the test's graph is not valid");
  const base = { tenant: "rows", run_id: runId, task: "t", artifacts: [], drive: "auto" } as const;
  const created = await stub.request({ type: "create_run", ...base, graph: graph.value, options: options.value });
  expect(created.ok).toBe(true);
  return stub;
};

/** Drives the map inside its object and returns what each commit cost. */
const costOfMap = (stub: DurableObjectStub): Promise<{ readonly costs: readonly Cost[]; readonly status: string }> =>
  runInDurableObject(stub, (instance) => {
    const inside = instance as unknown as Inside;
    const { store } = inside;
    const { write, setAlarm } = store;
    let cost: Cost = { rows: 0, alarms: 0 };
    store.write = (sql, ...bindings) => {
      const rows = write(sql, ...bindings);
      cost.rows += rows;
      return rows;
    };
    store.setAlarm = (at) => {
      cost.alarms += 1;
      setAlarm(at);
    };
    const costs: Cost[] = [];
    for (let answer = inside.advance({}); ;) {
      if (!answer.ok) throw new Error(answer.rejection.detail);
      costs.push(cost);
      cost = { rows: 0, alarms: 0 };
      const { next, more, status } = answer.reply;
      if (next !== null) {
        const result = { status: "completed", text: `result of ${next.node_id}`, visible_text: "v" };
        answer = inside.advance({ complete: { attempt_token: next.attempt_token, result } });
      } else if (more === true) answer = inside.advance({});
      else return { costs, status };
    }
  });

const total = (costs: readonly Cost[]): number => costs.reduce((sum, { rows, alarms }) => sum + rows + alarms, 0);

beforeAll(migrateDatabase);

describe("what a map of ten thousand items costs", () => {
  it("[architecture 2] executed one by one, at most 2 rows a branch, alarms included", async () => {
    const { costs, status } = await costOfMap(await mapRun({ mode: "function", function: "echo" }));
    expect(status).toBe("completed");
    expect(costs).toHaveLength(ITEMS + 1);
    const branches = costs.slice(0, -1);
    for (const { rows, alarms } of branches) expect(rows + alarms).toBeLessThanOrEqual(MAX_ROWS_PER_BRANCH);
    // The last commit records the map, and the run ends with it.
    expect((costs.at(-1) as Cost).rows + (costs.at(-1) as Cost).alarms).toBeLessThanOrEqual(MAX_ROWS_PER_BRANCH + 3);
    expect(total(costs) / ITEMS).toBeGreaterThanOrEqual(1);
    expect(total(costs) / ITEMS).toBeLessThan(1.1);
  }, 60_000);

  it("[architecture 2] only wrapped, a handful of rows for all of it", async () => {
    const { costs, status } = await costOfMap(await mapRun({}));
    expect(status).toBe("completed");
    expect(costs).toHaveLength(1);
    expect(total(costs)).toBeGreaterThanOrEqual(1);
    // An entry of the journal is one row for each 600,000 characters, and the first long one makes their table.
    expect(total(costs)).toBeLessThan(30);
  }, 60_000);
});

describe("a map driven by the product's own driver", () => {
  it("[W-6.6] of 200 items, several at a time, ends with a result for each, in order", async () => {
    const items = Array.from({ length: 200 }, (_, index) => `item ${index}`);
    const runId = await startRun({
      entry: "m",
      nodes: {
        m: {
          kind: "map",
          mode: "function",
          function: "echo",
          input: "{{input.text}}",
          map_policy: { items, max_concurrent: 8 },
        },
        after: { kind: "stage", mode: "function", function: "echo" },
      },
      edges: [{ from: "m", to: "after" }],
    });
    const run = await runWith(runId, "completed", 30_000);
    expect(run.stages[0]).toMatchObject({ node_id: "m", branch: "mapped", visible_text: "mapped 200 of 200 items" });
    expect(run.stages[0]?.metadata["map"]).toEqual({
      total: 200,
      started: 200,
      settled: 200,
      cancelled: [],
      attempts: {},
    });
    const texts = run.stages[0]?.artifacts.map(({ text }) => text);
    expect(texts).toEqual(items);
    expect(run.stages.map((stage) => stage.node_id)).toEqual(["m", "after"]);
  }, 40_000);
});
