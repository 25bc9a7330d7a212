import { describe, expect, it } from "vitest";
import type { AdvanceReply } from "../../../src/engine/run/command.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import { needsDriver, nextWake } from "../../../src/engine/run/wake.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import type { Json } from "../../../src/lib/json.ts";
import { accepted, createRun, DONE, refusal, type RunShell, runFixture, step } from "../../support/run-fixture.ts";

const planIn = ({ next }: AdvanceReply): StagePlan => {
  if (next === null) throw new Error("there is nothing to execute");
  return next;
};

const mapOf = (strategy: string, more: Json = {}): Json => ({
  id: "wf",
  entry: "m",
  nodes: {
    m: {
      kind: "map",
      mode: "function",
      function: "work",
      map_policy: { items: ["a", "b", "c"] },
      join_policy: { strategy },
      ...(more as object),
    },
  },
  edges: [],
});

const started = (graph: Json, options: Json = {}): RunShell => {
  const { shell } = runFixture();
  accepted(shell, createRun(graph, { options }));
  return shell;
};

describe("a branch that its map does not wait for", () => {
  it("[W-6.6] is refused while the run is paused, also before the map is closed", () => {
    const shell = started(mapOf("first"));
    const [winner, loser] = [planIn(step(shell, undefined, true)), planIn(step(shell, undefined, true))];
    accepted(shell, { type: "pause_run" });
    step(shell, { attempt_token: winner.attempt_token, result: DONE });
    const late = { attempt_token: loser.attempt_token, result: DONE };
    expect(refusal(shell, { type: "advance", live_attempts: [], complete: late }).code).toBe("stale_attempt");
    accepted(shell, { type: "resume_run" });
    expect(step(shell).status).toBe("completed");
    const settled = shell.entries().flatMap(({ events }) => events.filter(({ type }) => type === "branch_settled"));
    expect(settled).toHaveLength(1);
  });
});

const CHAIN: Json = {
  id: "wf",
  entry: "a",
  nodes: {
    a: { kind: "stage", mode: "function", function: "work" },
    b: { kind: "stage", mode: "function", function: "work" },
    e: { kind: "stage", mode: "external" },
  },
  edges: [
    { from: "a", to: "b" },
    { from: "b", to: "e" },
  ],
};

describe("a completion that a driver repeats because it lost the answer", () => {
  it("[I6] gives it no external stage that somebody has taken meanwhile", () => {
    const shell = started(CHAIN);
    const a = planIn(step(shell));
    const b = planIn(step(shell, { attempt_token: a.attempt_token, result: DONE }));
    const completed = { attempt_token: b.attempt_token, result: DONE };
    expect(step(shell, completed).waiting).toBe("external");
    const taken = accepted(shell, { type: "prepare_stage", node_id: "e", live_attempts: [] });
    expect(taken.type).toBe("plan");
    expect(step(shell, completed, true)).toMatchObject({ next: null, waiting: "external" });
  });

  it("[I6] gives it no stage that was handed over to another driver meanwhile", () => {
    const shell = started(CHAIN);
    const completed = { attempt_token: planIn(step(shell)).attempt_token, result: DONE };
    const first = planIn(step(shell, completed));
    expect(planIn(step(shell, completed, true)).attempt_token).toBe(first.attempt_token);
    const handed = accepted(shell, { type: "advance", adopt: first.attempt_token, live_attempts: [] });
    expect(handed.type).toBe("advance");
    expect(step(shell, completed, true)).toMatchObject({ next: null, waiting: "other_driver" });
  });
});

/** A stage `a` of some mode beside one that waits for a message, after which `c` can be executed. */
const beside = (a: Json): Json => ({
  id: "wf",
  entry: "f",
  nodes: {
    f: { kind: "fork" },
    a,
    w: { kind: "stage", mode: "wait", wait: { message: "go" } },
    c: { kind: "stage", mode: "function", function: "work" },
  },
  edges: [
    { from: "f", to: "a" },
    { from: "f", to: "w" },
    { from: "w", to: "c" },
  ],
});

const hear = (shell: RunShell): void => {
  const stage_id = shell.state?.open.find((unit) => unit.mode === "wait")?.stage_id ?? "";
  const message = { seq: 1, kind: "signal", name: "go", request_id: null, payload: null, enqueued_at: "" } as const;
  accepted(shell, { type: "hear", stage_id, message });
};

const NOW = 1_000_000;

const stateOf = (shell: RunShell): Run => {
  if (shell.state === null) throw new Error("there is no run");
  return shell.state;
};

describe("the watchdog of a run that goes on in parallel", () => {
  it("[I7] orders a driver for what can be begun, also while another one works on something else", () => {
    const shell = started(beside({ kind: "stage", mode: "function", function: "work" }), { max_parallel: 2 });
    const a = planIn(step(shell));
    expect(step(shell, undefined, true).waiting).toBe("other_driver");
    hear(shell);
    expect(needsDriver(stateOf(shell), [a.attempt_token], NOW)).toBe(true);
    const c = planIn(step(shell, undefined, true));
    expect(c.node_id).toBe("c");
    expect(needsDriver(stateOf(shell), [a.attempt_token, c.attempt_token], NOW)).toBe(false);
  });

  it("[I7] looks after what can be begun while a person holds an external stage", () => {
    const shell = started(beside({ kind: "stage", mode: "external" }), { max_parallel: 2 });
    expect(step(shell).waiting).toBe("external");
    accepted(shell, { type: "prepare_stage", node_id: "a", live_attempts: [] });
    const held = (): number => NOW + 300_000;
    expect(nextWake(stateOf(shell), held, NOW + 1)).toBeNull();
    hear(shell);
    expect(nextWake(stateOf(shell), held, NOW + 1)).toBe(NOW + 5_001);
  });
});
