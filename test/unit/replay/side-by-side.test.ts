import { describe, expect, it } from "vitest";
import { forkSource, type ForkSource } from "../../../src/engine/replay/fork-source.ts";
import { replayRun } from "../../../src/engine/replay/replay.ts";
import { recordedPage, replaySource } from "../../../src/engine/replay/source.ts";
import { projectPart } from "../../../src/engine/run/project.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import type { Json } from "../../../src/lib/json.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { decodeRunOptions } from "../../../src/schema/run.ts";
import { accepted, counting, createRun, must, type RunFixture, runFixture, step } from "../../support/run-fixture.ts";

const stage = { kind: "stage", mode: "function", function: "work" };

/** Node `b` is open when `a` leads to it once more. */
const again: Json = {
  id: "wf",
  entry: "f",
  nodes: { f: { kind: "fork" }, a: stage, b: stage },
  edges: [
    { from: "f", to: "a" },
    { from: "f", to: "b" },
    { from: "a", to: "b" },
  ],
};

/** The join is at the head of the queue while `b` is open. */
const joined: Json = {
  id: "wf",
  entry: "f",
  nodes: { f: { kind: "fork" }, a: stage, j: { kind: "join" }, b: stage },
  edges: [
    { from: "f", to: "a" },
    { from: "f", to: "j" },
    { from: "f", to: "b" },
    { from: "a", to: "j" },
    { from: "b", to: "j" },
  ],
};

const stateOf = ({ shell }: RunFixture): Run => shell.state as Run;

/** A run of which two stages are under way at a time, driven to its end. */
const played = (graph: Json, maxSteps = 20): RunFixture => {
  const fixture = runFixture();
  const options = { max_parallel: 2, max_steps: maxSteps };
  accepted(fixture.shell, createRun(graph, { options }));
  const plans: StagePlan[] = [];
  for (;;) {
    const { next } = step(fixture.shell, undefined, true);
    if (next !== null) plans.push(next);
    else {
      const plan = plans.shift();
      if (plan === undefined) return fixture;
      const result = { status: "completed", text: plan.node_id };
      const reply = step(fixture.shell, { attempt_token: plan.attempt_token, result }, true);
      if (reply.next !== null) plans.push(reply.next);
    }
  }
};

const nodesOf = ({ shell }: RunFixture): readonly unknown[] =>
  (projectPart(shell.entries(), "stages", { from: 0, to: 99 })?.items ?? []).map((item) =>
    "node_id" in item ? item.node_id : null,
  );

const decodeOptions = (raw: object) => ({ ok: true as const, value: must(decodeRunOptions(raw)) });

const replayed = (source: RunFixture): RunFixture => {
  const from = replaySource(source.shell.entries(), stateOf(source));
  if (from === null) throw new Error("no source");
  const replay = runFixture();
  accepted(replay.shell, must(replayRun(from, { tenant: "default", run_id: "run-3", decodeOptions })));
  const recorded = recordedPage(source.shell.entries(), stateOf(source), 0);
  accepted(replay.shell, { type: "advance", live_attempts: [], recorded });
  return replay;
};

describe("a run whose stages were open side by side", () => {
  it("[W-12.5] is replayed with the second visit of a node that was open when it was reached again", () => {
    const source = played(again);
    expect(nodesOf(source)).toEqual(["f", "a", "b", "b"]);
    const replay = replayed(source);
    expect(nodesOf(replay)).toEqual(["f", "a", "b", "b"]);
    expect(stateOf(replay).status).toBe("completed");
    expect(nodesOf(replayed(replay))).toEqual(["f", "a", "b", "b"]);
  });

  it("[W-12.5] is replayed without asking a join that was not asked", () => {
    const source = played(joined, 4);
    expect([nodesOf(source), stateOf(source).steps]).toEqual([["f", "a", "b", "j"], 4]);
    const replay = replayed(source);
    expect([nodesOf(replay), stateOf(replay).steps]).toEqual([["f", "a", "b", "j"], 4]);
    expect(stateOf(replay).status).toBe(stateOf(source).status);
  });

  it("[architecture] is forked with what was open, which has taken its steps, and what was ready", () => {
    const { shell } = played(again);
    const after = shell
      .entries()
      .flatMap(({ events }) => events)
      .filter((event) => event.type === "checkpoint_taken")
      .find(({ last_stage_id: id }) => id === "run-1:a:2");
    const source = forkSource(shell.entries(), after?.checkpoint_id ?? "", counting()) as ForkSource;
    expect(source.open.map(({ node_id: node }) => node)).toEqual(["b"]);
    expect(source.record.pending_nodes).toEqual(["b"]);
    expect(source.steps).toBe(3);
    expect(source.ready_before).toEqual([]);
  });
});
