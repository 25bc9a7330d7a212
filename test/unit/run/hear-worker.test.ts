import { describe, expect, it } from "vitest";
import { budgetLeft, lessUsage } from "../../../src/engine/run/budget.ts";
import { delegatedSpawn } from "../../../src/engine/run/delegate.ts";
import { projectPart, projectRun } from "../../../src/engine/run/project.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import { NO_USAGE } from "../../../src/engine/run/state.ts";
import { type PlacedUpdate, placedUpdate, type WorkerEventName } from "../../../src/engine/worker/updates.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { accepted, counting, createRun, runFixture, type RunShell, step } from "../../support/run-fixture.ts";

const GRAPH = { entry: "s", nodes: { s: { kind: "subagent", mode: "llm", prompt: "Look" } }, edges: [] };

const started = (options: JsonObject = {}): RunShell => {
  const { shell } = runFixture();
  accepted(shell, createRun(GRAPH, { options }));
  step(shell);
  return shell;
};

const runOf = (shell: RunShell): Run => {
  if (shell.state === null) throw new Error("there is no run");
  return shell.state;
};

const update = (seq: number, event: WorkerEventName, metadata: JsonObject = {}): PlacedUpdate =>
  placedUpdate(
    {
      worker_id: "worker_1",
      worker_name: "scout",
      worker_task: "look",
      worker_mode: "delegated_stage",
      event,
      status: "running",
      terminal: false,
      metadata: { started_at: "2026-04-19T12:00:00Z", audit: { parent_session_id: "s" }, ...metadata },
    },
    { seq, at: "2026-04-19T12:00:00Z", worker: null },
  );

const tell = (shell: RunShell, ...updates: readonly PlacedUpdate[]): void => {
  const stage_id = runOf(shell).open[0]?.stage_id ?? "stage_1";
  accepted(shell, { type: "hear_worker", stage_id, updates });
};

const heard = (shell: RunShell): readonly PlacedUpdate[] =>
  (projectPart(shell.entries(), "worker_updates", { from: 0, to: 100 })?.items ?? []) as readonly PlacedUpdate[];

describe("what a run hears of its workers", () => {
  it("[L-13.2] is each event once, however often and late it is told", () => {
    const shell = started();
    tell(shell, update(1, "WorkerSpawned"));
    const { seq } = shell;
    tell(shell, update(1, "WorkerSpawned"));
    expect(shell.seq).toBe(seq);
    tell(shell, update(1, "WorkerSpawned"), update(2, "WorkerSuspended"), update(3, "WorkerResumed"));
    tell(shell, update(2, "WorkerSuspended"));
    expect(heard(shell).map(({ seq: at, event }) => [at, event])).toEqual([
      [1, "WorkerSpawned"],
      [2, "WorkerSuspended"],
      [3, "WorkerResumed"],
    ]);
    expect(heard(shell)[0]).toMatchObject({ type: "worker_update", session_id: "s", worker_id: "worker_1" });
  });

  it("[L-14] shows its children from the order on, and where they stand", () => {
    const shell = started();
    const children = () => projectRun(shell.entries(), counting())?.child_runs ?? [];
    const [ordered] = children();
    expect(children()).toMatchObject([{ worker_name: "s", status: "running", run_id: null }]);
    const own = { worker_id: ordered?.worker_id ?? "" };
    tell(shell, { ...update(1, "WorkerWaitingForInput"), ...own, cycle_run_id: "run_c" });
    expect(children()).toMatchObject([{ status: "awaiting", cycle_run_id: "run_c", parent_session_id: "s" }]);
    accepted(shell, { type: "cancel_run" });
    tell(shell, { ...update(2, "WorkerCancelled"), ...own });
    expect(children()).toMatchObject([{ status: "cancelled" }]);
    expect(runOf(shell).status).toBe("cancelled");
  });

  it("[L-13.2] keeps of a large event what lists need", () => {
    const shell = started();
    const long = "x".repeat(10_000);
    tell(shell, { ...update(1, "WorkerFailed", { error: long, request: { task: long } }), worker_task: long });
    expect(heard(shell)).toMatchObject([{ metadata: { truncated: true, started_at: "2026-04-19T12:00:00Z" } }]);
    expect(JSON.stringify(heard(shell)).length).toBeLessThan(5_000);
  });
});

describe("the budget of a worker", () => {
  const spent = { ...NO_USAGE, input_tokens: 60, output_tokens: 30, total_cost: 2 };

  it("[L-14] is what its run has left, and always something", () => {
    expect(lessUsage({ max_tokens: 100, max_cost_usd: 3 }, spent)).toEqual({ max_tokens: 10, max_cost_usd: 1 });
    expect(lessUsage({ max_tokens: 50 }, spent)).toEqual({ max_tokens: 1 });
    expect(lessUsage({ max_cost_usd: 1 }, spent).max_cost_usd).toBeGreaterThan(0);
  });

  it("[L-14] is not there without one of the run", () => {
    const shell = started();
    const run = runOf(shell);
    expect(budgetLeft(run)).toBeNull();
    const spawn = delegatedSpawn(run, run.open[0]?.stage_id ?? "", { cwd: null, env: {}, worktree: null });
    expect(spawn?.parent).not.toHaveProperty("budget");
    const bounded = { ...run, budget: { max_tokens: 100 }, usage: spent };
    const within = delegatedSpawn(bounded, run.open[0]?.stage_id ?? "", { cwd: null, env: {}, worktree: null });
    expect(within?.parent).toMatchObject({ budget: { max_tokens: 10 } });
    expect(within?.request_digest).toBe(spawn?.request_digest);
  });
});
