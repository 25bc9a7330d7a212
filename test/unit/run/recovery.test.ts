import { describe, expect, it } from "vitest";
import { LeaseWatch } from "../../../durable-objects/shell/lease-watch.ts";
import { renewLeases } from "../../../durable-objects/shell/run-leases.ts";
import { needsDriver, nextWake } from "../../../src/engine/run/wake.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import { accepted, DONE, step } from "../../support/run-fixture.ts";
import {
  advance,
  complete,
  failure,
  fn,
  planIn,
  recordOf,
  runOf,
  stageOf,
  takeAll,
  tokensOf,
} from "../../support/run-steps.ts";

const nodesOf = (record: ReturnType<typeof recordOf>): readonly string[] => record.stages.map((stage) => stage.node_id);

const TWO = {
  entry: "f",
  nodes: { f: { kind: "fork" }, a: fn(), b: fn(), after_a: fn(), after_b: fn() },
  edges: [
    { from: "f", to: "a" },
    { from: "f", to: "b" },
    { from: "a", to: "after_a" },
    { from: "b", to: "after_b" },
  ],
};

describe("what a run does not lose", () => {
  it("[I7] a stage that is given up after its lost attempts leads on by its edges", () => {
    const { shell } = runOf({
      entry: "a",
      nodes: { a: fn(), mend: fn() },
      edges: [{ from: "a", to: "mend", branch: "error" }],
    });
    for (let attempt = 1; attempt <= 5; attempt++) expect(step(shell).next?.attempt).toBe(attempt);
    expect(step(shell).next?.node_id).toBe("mend");
    expect(recordOf(shell).transitions).toMatchObject([{ from_node_id: "a", to_node_id: "mend" }]);
  });

  it("[I7] a map whose last branch is given up comes to its end in the same step", () => {
    const { shell } = runOf({
      entry: "m",
      nodes: { m: { ...fn(), kind: "map", map_policy: { items: [1] } } },
      edges: [],
    });
    for (let attempt = 1; attempt <= 5; attempt++) expect(step(shell).next?.attempt).toBe(attempt);
    expect(step(shell)).toMatchObject({ next: null, status: "completed" });
    expect(stageOf(shell, "m")).toMatchObject({ status: "failed", branch: "failed" });
  });

  it("[W-4.7] stages that end one after the other while the run is paused all lead on", () => {
    const { shell } = runOf(TWO, { options: { max_parallel: 2 } });
    const [a, b] = takeAll(shell);
    accepted(shell, { type: "pause_run" });
    for (const plan of [a, b]) expect(complete(shell, plan as never)).toMatchObject({ next: null, status: "paused" });
    accepted(shell, { type: "resume_run" });
    expect(takeAll(shell).map((plan) => plan.node_id)).toEqual(["after_a", "after_b"]);
    expect(nodesOf(recordOf(shell))).toEqual(["f", "a", "b"]);
  });

  it("[W-4.8] a checkpoint taken while stages are open lists them before the queue", () => {
    const { shell } = runOf(TWO, { options: { max_parallel: 2 } });
    const [a, b] = takeAll(shell);
    expect(complete(shell, a as never).next?.node_id).toBe("after_a");
    expect(recordOf(shell).checkpoints.at(-1)).toMatchObject({
      last_stage_id: a?.stage_id,
      ready_nodes: ["b", "after_a"],
      completed_nodes: ["a", "f"],
    });
    expect(recordOf(shell).pending_nodes).toEqual(["b", "after_a"]);
    complete(shell, b as never);
    // After_a is open since before b was recorded.
    expect(recordOf(shell).checkpoints.at(-1)?.ready_nodes).toEqual(["after_a", "after_b"]);
  });

  it("[W-4.10] a run that continues such a checkpoint executes what was open", () => {
    const { shell } = runOf(TWO, { options: { max_parallel: 2 } });
    const [a] = takeAll(shell);
    complete(shell, a as never);
    const resumed = runOf(TWO, { options: { resume_run: recordOf(shell) as never } });
    expect(resumed.shell.state?.ready).toEqual(["b", "after_a"]);
    let reply = step(resumed.shell);
    while (reply.next !== null) reply = step(resumed.shell, { attempt_token: reply.next.attempt_token, result: DONE });
    expect(nodesOf(recordOf(resumed.shell))).toEqual(["f", "a", "b", "after_a", "after_b"]);
  });

  it("[W-4.8] a stage that is completed and waits for its turn is still to be done in a checkpoint", () => {
    const { shell } = runOf(
      {
        ...TWO,
        nodes: { ...TWO.nodes, ask: { kind: "stage", mode: "external" } },
        edges: [{ from: "f", to: "ask" }, ...TWO.edges],
      },
      { options: { max_parallel: 2 } },
    );
    const [, b] = takeAll(shell);
    complete(shell, b as never);
    accepted(shell, { type: "complete_stage", node_id: "ask", attempt_token: null, result: DONE });
    expect(shell.state?.open.find((unit) => unit.node_id === "b")?.settled).not.toBeNull();
    expect(recordOf(shell).pending_nodes).toEqual(["a", "b"]);
  });

  it("[I5] a repeated completion that led to a map gets the plan of the first branch again", () => {
    const { shell } = runOf({
      entry: "a",
      nodes: { a: fn(), m: { ...fn(), kind: "map", map_policy: { items: [1, 2] } } },
      edges: [{ from: "a", to: "m" }],
    });
    const first = planIn(advance(shell));
    const answer = complete(shell, first);
    expect(answer.next?.node_id).toBe("m_map_1");
    const seq = shell.seq;
    expect(complete(shell, first)).toEqual(answer);
    expect(shell.seq).toBe(seq);
  });

  it("[I7] a run that was left between a completion and its transitions is driven on", () => {
    const { shell, clock } = runOf(
      { ...TWO, nodes: { ...TWO.nodes, b: { kind: "stage", mode: "external" } } },
      { options: { max_parallel: 2 } },
    );
    const [a] = takeAll(shell);
    accepted(shell, { type: "pause_run" });
    complete(shell, a as never);
    accepted(shell, { type: "resume_run" });
    expect(shell.state?.untransitioned).not.toBeNull();
    expect(needsDriver(shell.state as Run, [], clock.now)).toBe(true);
    expect(nextWake(shell.state, () => 0, clock.now)).toBe(clock.now + 5_000);
  });

  it("[I7] a map that was left with all its branches settled is driven on", () => {
    const { shell, clock } = runOf({
      entry: "m",
      nodes: { m: { ...fn(), kind: "map", map_policy: { items: [1] } } },
      edges: [],
    });
    const [only] = takeAll(shell);
    accepted(shell, { type: "pause_run" });
    complete(shell, only as never);
    accepted(shell, { type: "resume_run" });
    expect(shell.state?.open).toHaveLength(1);
    expect(needsDriver(shell.state as Run, [], clock.now)).toBe(true);
    expect(nextWake(shell.state, () => 0, clock.now)).toBe(clock.now + 5_000);
    expect(advance(shell)).toMatchObject({ next: null, status: "completed" });
  });

  it("[W-13] a run that fails tells the mailbox that nobody listens any more", () => {
    const { shell, clock, store } = runOf(
      { entry: "w", nodes: { w: { kind: "stage", mode: "wait", wait: { message: "go" } } }, edges: [] },
      { options: { deadline: 1_000 } },
    );
    advance(shell);
    clock.now += 1_000;
    accepted(shell, { type: "wake", live_attempts: [] });
    expect(shell.state?.status).toBe("failed");
    const effects = store
      .query("SELECT effect FROM outbox")
      .map((row) => JSON.parse(String(row["effect"])) as { type: string });
    expect(effects.map(({ type }) => type)).toContain("unsubscribe");
  });

  it.each(["cancelled", "failed"])(
    "[I6] the holder of an attempt is told that a run that is %s no longer wants it",
    (status) => {
      const { shell, clock } = runOf(TWO, { options: { deadline: 1_000 } });
      const { attempt_token } = planIn(advance(shell));
      const leases = new LeaseWatch(clock.now);
      expect(renewLeases(leases, shell.state as Run, [attempt_token]).lost).toEqual([]);
      clock.now += 1_000;
      accepted(shell, status === "failed" ? { type: "wake", live_attempts: [] } : { type: "cancel_run" });
      expect(shell.state?.status).toBe(status);
      expect(renewLeases(leases, shell.state as Run, [attempt_token]).lost).toEqual([attempt_token]);
    },
  );

  it("[I6] a failed call of one stage leaves the others alone", () => {
    const { shell } = runOf(TWO, { options: { max_parallel: 2 } });
    const [a, b] = takeAll(shell);
    expect(complete(shell, a as never, failure("Error [auth]: no")).next).toMatchObject({ node_id: "after_a" });
    expect(tokensOf(shell)["b"]).toBe(b?.attempt_token);
    complete(shell, b as never);
    expect(stageOf(shell, "a")).toMatchObject({ status: "failed", branch: "error" });
    expect(stageOf(shell, "b")).toMatchObject({ status: "completed" });
  });
});
