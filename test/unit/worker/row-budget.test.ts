import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/lib/json.ts";
import { createRun } from "../../support/run-fixture.ts";
import { spawnOf } from "../../support/worker-fixture.ts";
import { costsOf, inQuietWorld, pass } from "../../sim/worker/quiet-world.ts";
import { startCycle, startDriver } from "../../sim/worker/drivers.ts";
import type { WatchedRun } from "../../sim/worker/watched-run.ts";
import type { WorkerWorld } from "../../sim/worker/world.ts";

const DAY_MS = 86_400_000;

const subagent: JsonObject = { kind: "subagent", mode: "function", function: "work" };

const begin = (world: WorkerWorld, graph: JsonObject, options: JsonObject = {}): WatchedRun => {
  const run = world.run("root");
  const answer = run.host.object().request(createRun(graph, { run_id: "root", options, start: true }));
  if (!answer.ok || answer.reply.type !== "created") throw new Error("the run was refused");
  const { advance } = answer.reply;
  startDriver(run, { isRequest: true, ...(advance === null ? {} : { first: advance }) });
  return run;
};

const rowsOf = ({ host }: Pick<WatchedRun, "host">): number => host.store.rowsWritten();

describe("what a worker costs", () => {
  it("[L-31] a stage that is given to a worker: rows of its run, of the worker and of the run of its cycle", () =>
    inQuietWorld(async (world) => {
      const run = begin(world, { entry: "ask", nodes: { ask: subagent }, edges: [] });
      await pass(world, 60_000);
      run.watch.check();
      expect(run.state?.status).toBe("completed");
      const [worker] = world.workers.values();
      const carrying = [...world.runs.values()].find(({ id }) => id !== "root") as WatchedRun;
      expect({
        run: rowsOf(run),
        worker: worker?.host.store.rowsWritten(),
        cycle: rowsOf(carrying),
      }).toEqual({ run: 19, worker: 17, cycle: 15 });
    }));

  it("[L-31] a hundred of them cost a hundred times that, and no more", () =>
    inQuietWorld(async (world) => {
      const ids = Array.from({ length: 100 }, (_, index) => `s${index}`);
      const nodes: Record<string, JsonObject> = { fork: { kind: "fork" } };
      for (const id of ids) nodes[id] = subagent;
      const edges = ids.map((to) => ({ from: "fork", to }));
      const run = begin(world, { entry: "fork", nodes, edges }, { max_steps: 200, max_parallel: 64 });
      await pass(world, 600_000);
      run.watch.check();
      expect(run.state?.status).toBe("completed");
      expect(world.workers.size).toBe(100);
      const { rows, wake_ups } = costsOf(world);
      expect(wake_ups).toBe(0);
      expect(rowsOf(run)).toBeLessThanOrEqual(620);
      expect(rows).toBeLessThanOrEqual(4_000);
    }));

  it("[L-32.4] a suspended worker costs nothing but the alarm that wakes it", () =>
    inQuietWorld(async (world) => {
      const worker = world.worker("worker_1");
      const object = () => worker.host.object();
      object().request(spawnOf({ tenant: "default" }));
      startCycle(world, "worker_1", true);
      await pass(world, 1_000);
      const conditions = { timeout: { duration_minutes: 24 * 60, on_timeout: "resume_with_input" } } as const;
      object().request({ type: "suspend", reason: "night", initiator: "operator", conditions });
      await pass(world, 60_000);
      worker.watch.check();
      expect(worker.state?.suspension).toMatchObject({ quiesced_at: expect.any(String) });
      const before = costsOf(world);
      await pass(world, DAY_MS - 120_000);
      expect(costsOf(world)).toEqual(before);
      for (const host of world.hosts()) host.reset("evicted");
      await pass(world, 180_000);
      worker.watch.check();
      expect(worker.state?.status).toBe("completed");
      expect(worker.watch.alarms).toBe(1);
    }));
});
