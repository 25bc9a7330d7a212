import { joinTarget } from "../../../src/engine/node/map.ts";
import { driveRun } from "../../../src/driver/drive.ts";
import { isObject, type Json, type JsonObject } from "../../../src/lib/json.ts";
import type { StagePlan, StageResult } from "../../../src/schema/plan.ts";
import { decodeGraph } from "../../../src/schema/graph.ts";
import { listArg, type Operations, textArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";

interface Branch {
  readonly value: Json;
  readonly duration_ms: number;
}

const numberArg = (args: JsonObject, name: string): number | null => {
  const value = args[name];
  return typeof value === "number" ? value : null;
};

const branchesArg = (args: JsonObject): readonly Branch[] =>
  listArg(args, "branches").map((branch) => {
    if (!isObject(branch)) throw new Error("a branch must be an object");
    return { value: branch["value"] ?? null, duration_ms: Number(branch["duration_ms"] ?? 0) };
  });

const mapGraph = (args: JsonObject, branches: readonly Branch[]): JsonObject => ({
  id: "branches",
  entry: "m",
  nodes: {
    m: {
      kind: "map",
      mode: "function",
      function: "branch",
      map_policy: {
        items: branches.map((_, index) => index),
        item_artifact_kind: "none",
        max_concurrent: numberArg(args, "max_concurrent"),
      },
      join_policy: { strategy: textArg(args, "strategy"), min_completed: numberArg(args, "min_completed") },
    },
  },
});

const branchIndex = (nodeId: string): number => Number(/_map_(\d+)$/.exec(nodeId)?.[1]) - 1;

/** Executes branches in virtual time: each ends when the clock, which moves from end to end, has come to it. */
class TimedBranches {
  readonly finished: number[] = [];
  mostAtOnce = 0;
  readonly #system: System;
  readonly #branches: readonly Branch[];
  readonly #running = new Map<number, { readonly at: number; readonly end: () => void }>();

  constructor(system: System, branches: readonly Branch[]) {
    this.#system = system;
    this.#branches = branches;
  }

  readonly execute = (plan: StagePlan, signal: AbortSignal): Promise<StageResult> => {
    const index = branchIndex(plan.node_id);
    const branch = this.#branches[index] as Branch;
    return new Promise((resolve) => {
      const leave = (result: StageResult): void => {
        this.#running.delete(index);
        resolve(result);
      };
      const end = (): void => {
        this.finished.push(index);
        leave({ status: "completed", text: JSON.stringify(branch.value) });
      };
      signal.addEventListener("abort", () => leave({ status: "failed", text: "cancelled" }), { once: true });
      this.#running.set(index, { at: this.#system.clock.now + branch.duration_ms, end });
      this.mostAtOnce = Math.max(this.mostAtOnce, this.#running.size);
    });
  };

  /** Ends the branch that is next to end; false when none is running. */
  endNext(): boolean {
    const [next] = [...this.#running.values()].toSorted((left, right) => left.at - right.at);
    if (next === undefined) return false;
    this.#system.clock.moveTo(next.at);
    next.end();
    return true;
  }
}

const runBranches = async (system: System, args: JsonObject): Promise<JsonObject> => {
  const branches = branchesArg(args);
  const started = system.clock.now;
  const { object } = system.createRun({
    type: "create_run",
    tenant: "default",
    run_id: system.clock.nextId(""),
    task: "",
    graph: valueOf(decodeGraph(mapGraph(args, branches))),
    artifacts: [],
    options: { raw: {} },
    drive: "auto",
  });
  const timed = new TimedBranches(system, branches);
  const state = { isOver: false };
  const drive = driveRun({
    run: () => object.driven,
    executor: timed,
    deadline: Number.MAX_SAFE_INTEGER,
    now: () => system.clock.now,
    sleep: async (ms) => system.clock.moveTo(system.clock.now + ms),
    every: () => () => {},
    lanes: branches.length,
  }).finally(() => {
    state.isOver = true;
  });
  while (!state.isOver) {
    await new Promise((done) => setImmediate(done));
    if (!state.isOver) timed.endNext();
  }
  await drive;
  const kept = new Set(object.run.artifacts.toArray().map(({ stage }) => branchIndex(stage ?? "")));
  return {
    values: timed.finished.filter((index) => kept.has(index)).map((index) => branches[index]?.value ?? null),
    elapsed_ms: system.clock.now - started,
    max_seen_concurrency: timed.mostAtOnce,
  };
};

/** Maps and their branches (spec/workflow 6.6). */
export const mapOperations: Operations = {
  map_join_target: (_system, args) =>
    joinTarget(textArg(args, "strategy"), numberArg(args, "total") ?? 0, numberArg(args, "min_completed")),
  run_branches: runBranches,
};
