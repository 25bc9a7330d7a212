import { describe, expect, it } from "vitest";
import type { RunEffect } from "../../../src/engine/run/command.ts";
import { runMachine } from "../../../src/engine/run/machine.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { type RunExecutionRecord, runExecutionSchema } from "../../../src/schema/record.ts";
import { counting, createRun } from "../../support/run-fixture.ts";

const GRAPH: JsonObject = {
  entry: "check",
  nodes: { check: { kind: "verify", verify: { command: "make", queue: "builders", env: { A: "own" } } } },
  edges: [],
};

const EXECUTION: JsonObject = { cwd: "app", env: { A: "run", B: "run" }, adapter: "worktree", repo_path: "/repo" };

/** The payload of the job that a run's first stage is. */
const payloadOf = (created: ReturnType<typeof createRun>): JsonObject => {
  const context = counting();
  const steps = [created, { type: "advance", live_attempts: [] } as const];
  const effects: RunEffect[] = [];
  let state = runMachine.initial;
  for (const command of steps) {
    const decision = runMachine.decide(state, command, context);
    if (!decision.ok) throw new Error(decision.rejection.detail);
    state = decision.events.reduce(runMachine.evolve, state);
    effects.push(...decision.effects);
  }
  const order = effects.find((effect) => effect.type === "enqueue_job");
  return (order?.type === "enqueue_job" ? order.job.payload : {}) as JsonObject;
};

describe("where the commands of a run execute", () => {
  const expected = { env: { A: "own", B: "run" }, worktree: { repo: "/repo", worker_id: "run-1" } };

  it("[L-5] is what its option says", () => {
    expect(payloadOf(createRun(GRAPH, { options: { execution: EXECUTION } }))).toMatchObject(expected);
    expect(payloadOf(createRun(GRAPH))).not.toHaveProperty("worktree");
  });

  it("[L-5] is what whoever created it says, also where that is no option of a caller", () => {
    const created = createRun(GRAPH);
    const execution: RunExecutionRecord = runExecutionSchema.parse(EXECUTION);
    expect(payloadOf({ ...created, options: { ...created.options, execution } })).toMatchObject(expected);
  });
});
