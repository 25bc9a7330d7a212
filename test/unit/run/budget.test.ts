import { describe, expect, it } from "vitest";
import {
  must,
  accepted,
  createRun,
  DONE,
  refusal,
  runFixture,
  step,
  type RunShell,
} from "../../support/run-fixture.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { decodeRunOptions } from "../../../src/schema/run.ts";
import { complete, fn, runOf, takeAll } from "../../support/run-steps.ts";

const graph = {
  id: "wf",
  entry: "a",
  nodes: { a: { kind: "stage", mode: "llm" }, b: { kind: "stage", mode: "llm" } },
  edges: [{ from: "a", to: "b" }],
};

const usage = (tokens: number, cost: number) => ({
  ...DONE,
  usage: { input_tokens: tokens - 1, output_tokens: 1, call_count: 1, total_cost: cost },
});

const afterFirst = (shell: RunShell, result: object) => {
  const first = step(shell);
  return step(shell, { attempt_token: first.next?.attempt_token ?? "", result: result as never });
};

describe("a budget", () => {
  it.each([
    [{ max_tokens: 100 }, usage(100, 0), "the budget of 100 tokens is used up: 100 were used"],
    [{ max_cost_usd: 0.5 }, usage(2, 0.75), "the budget of $0.5 is used up: $0.750000 were spent"],
  ])("[I8] of %j pauses the run before it starts anything more, and says so", (budget, result, reason) => {
    const { shell } = runFixture();
    accepted(shell, createRun(graph, { options: { budget } }));
    expect(afterFirst(shell, result)).toMatchObject({ next: null, status: "paused" });
    expect(shell.state?.paused_by).toBe(reason);
    expect(shell.state?.ready).toEqual(["b"]);
    expect(refusal(shell, { type: "resume_run" })).toMatchObject({
      code: "invalid_transition",
      detail: `${reason}; resume the run with a higher budget`,
    });
  });

  it("[I8] that is raised lets the run go on", () => {
    const { shell, reload } = runFixture();
    accepted(shell, createRun(graph, { options: { budget: { max_tokens: 100 } } }));
    afterFirst(shell, usage(150, 0));
    accepted(shell, { type: "resume_run", budget: { max_tokens: 200 } });
    expect(reload().state?.budget).toEqual({ max_tokens: 200 });
    expect(step(shell).next).toMatchObject({ node_id: "b" });
  });

  it("[I8] that was not reached changes nothing, and a run whose end is reached completes", () => {
    const { shell } = runFixture();
    accepted(shell, createRun(graph, { options: { budget: { max_tokens: 100 } } }));
    const second = afterFirst(shell, usage(10, 0));
    expect(second.next).toMatchObject({ node_id: "b" });
    const token = second.next?.attempt_token ?? "";
    expect(step(shell, { attempt_token: token, result: usage(500, 9) as never }).status).toBe("completed");
  });

  it("[I8] counts what a stage has used that waits for its turn in the record", () => {
    const map = { kind: "map", mode: "llm", map_policy: { items: [1, 2], max_concurrent: 1 } };
    const { shell } = runOf(
      {
        entry: "f",
        nodes: { f: { kind: "fork" }, a: fn(), b: { kind: "stage", mode: "llm" }, m: map },
        edges: ["a", "b", "m"].map((to) => ({ from: "f", to })),
      },
      { options: { max_parallel: 3, budget: { max_tokens: 100 } } },
    );
    const [, b, item] = takeAll(shell) as readonly [StagePlan, StagePlan, StagePlan];
    expect([b.node_id, item.node_id]).toEqual(["b", "m_map_1"]);
    complete(shell, b, usage(150, 0));
    expect(complete(shell, item)).toMatchObject({ next: null, status: "paused" });
  });

  it.each([[{ max_tokens: 0 }], [{ max_cost_usd: -1 }], [{ tokens: 5 }], ["much"]])(
    "[W-4.4] %j is refused with its path",
    (budget) => {
      const decoded = decodeRunOptions({ budget });
      expect(decoded.ok).toBe(false);
      if (!decoded.ok) expect(decoded.error.issues[0]?.path).toMatch(/^budget/);
    },
  );

  it("[W-4.4] may be left open", () => {
    expect(must(decodeRunOptions({ budget: null }))).not.toHaveProperty("budget");
  });
});
