import type { Answer } from "../../src/engine/machine.ts";
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { r2Blobs } from "../../src/driver/r2-blobs.ts";
import { storeResult } from "../../src/driver/with-bodies.ts";
import type { AdvanceReply } from "../../src/engine/run/command.ts";
import type { RunObject } from "../../src/http/run-object.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { decodeGraph } from "../../src/schema/graph.ts";
import { decodeRunOptions } from "../../src/schema/run.ts";

/** The budget: what a driven stage may write at most. */
const MAX_ROWS = 3;

const STAGES = 120;

interface Inside {
  store: {
    write: (sql: string, ...bindings: unknown[]) => number;
    query: (sql: string, ...bindings: unknown[]) => readonly unknown[];
    setAlarm: (at: number | null) => void;
  };
  advance: (request: { complete?: { attempt_token: string; result: JsonObject } }) => Answer<AdvanceReply>;
}

interface Cost {
  rows: number;
  rowsRead: number;
  statements: number;
  alarms: number;
}

/** Runs a looping stage many times and returns what each completed stage cost its object. */
const costOfStages = async (node: JsonObject, result: (stage: number) => JsonObject): Promise<readonly Cost[]> => {
  const runId = crypto.randomUUID();
  const stub = env.WORKFLOW_RUN.getByName(`rows/${runId}`) as unknown as DurableObjectStub & RunObject;
  const graph = decodeGraph({ id: "loop", entry: "a", nodes: { a: node }, edges: [{ from: "a", to: "a" }] });
  const options = decodeRunOptions({ max_steps: STAGES * 2 });
  if (!graph.ok || !options.ok) throw new Error("the test's graph is not valid");
  const command = {
    type: "create_run",
    tenant: "rows",
    run_id: runId,
    task: "t",
    graph: graph.value,
    artifacts: [],
    options: options.value,
    drive: "auto",
  } as const;
  expect((await stub.request(command)).ok).toBe(true);
  return runInDurableObject(stub, (instance) => {
    const inside = instance as unknown as Inside;
    const { store } = inside;
    const { write, query, setAlarm } = store;
    let cost: Cost = { rows: 0, rowsRead: 0, statements: 0, alarms: 0 };
    store.write = (sql, ...bindings) => {
      const rows = write(sql, ...bindings);
      cost.rows += rows;
      cost.statements += 1;
      return rows;
    };
    store.query = (sql, ...bindings) => {
      const rows = query(sql, ...bindings);
      cost.rowsRead += rows.length;
      cost.statements += 1;
      return rows;
    };
    store.setAlarm = (at) => {
      cost.alarms += 1;
      setAlarm(at);
    };
    const costs: Cost[] = [];
    let answer = inside.advance({});
    for (let stage = 0; stage < STAGES; stage++) {
      if (!answer.ok || answer.reply.next === null) throw new Error(`no stage: ${JSON.stringify(answer)}`);
      cost = { rows: 0, rowsRead: 0, statements: 0, alarms: 0 };
      answer = inside.advance({
        complete: { attempt_token: answer.reply.next.attempt_token, result: result(stage) },
      });
      costs.push(cost);
    }
    return costs;
  });
};

describe("what a driven stage costs", () => {
  const stages: readonly (readonly [string, JsonObject])[] = [
    ["a function", { kind: "stage", mode: "function", function: "echo" }],
    ["a model call with a bounded context", { kind: "stage", mode: "llm", context_policy: { max_artifacts: 2 } }],
    ["an http call", { kind: "stage", mode: "http", http: { url: "https://example.com/{{run_id}}" } }],
  ];

  it.each(stages)(
    "[architecture 2] %s writes at most 3 rows, as the platform counts them, alarms included",
    async (_, node) => {
      const costs = await costOfStages(node, (stage) => ({
        status: "completed",
        text: `result ${stage}`,
        visible_text: "v",
      }));
      expect(costs).toHaveLength(STAGES);
      for (const cost of costs) expect(cost.rows + cost.alarms).toBeLessThanOrEqual(MAX_ROWS);
      // The guard of the guard: something was written, and it was seen.
      for (const cost of costs) expect(cost.rows).toBeGreaterThanOrEqual(1);
    },
  );

  it("[architecture 2] a result of 10 MiB writes what a short one does", async () => {
    const node = { kind: "stage", mode: "function", function: "echo" };
    const text = "ten MiB of text ".repeat(655_360);
    const kept = await storeResult(
      { status: "completed", text, data: [text] },
      r2Blobs(env.BODIES, "rows"),
      () => null,
    );
    if (!kept.ok) throw new Error("the test's text is too long");
    const short = await costOfStages(node, () => ({ status: "completed", text: "short", data: ["short"] }));
    expect(await costOfStages(node, () => kept.value)).toEqual(short);
  });

  it("[architecture 2] the cost of a step does not grow with the steps before it", async () => {
    const costs = await costOfStages({ kind: "stage", mode: "function", function: "echo" }, () => ({
      status: "completed",
      text: "r",
    }));
    const [first, ...others] = costs.slice(1);
    for (const cost of others) expect(cost).toEqual(first);
    expect(first?.rowsRead).toBe(0);
  });
});
