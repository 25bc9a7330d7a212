import { describe, expect, test } from "vitest";
import type { ToolApproval } from "../../../src/schema/agent-step.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { decodeGraph } from "../../../src/schema/graph.ts";
import { accepted, createRun, runFixture, step } from "../../support/run-fixture.ts";

const hooks = [{ pattern: "*", deny: "never" }];

const graph = {
  id: "w",
  entry: "a",
  nodes: { a: { kind: "stage", mode: "agent", tools: [{ name: "work" }], tool_hooks: hooks } },
};

/** The plan with which a loop goes on after this answer to its call. */
const answered = (answer: ToolApproval): StagePlan => {
  const { shell } = runFixture();
  accepted(shell, createRun(graph));
  const first = step(shell).next as StagePlan;
  const pending = [
    { call_id: "c1", tool_name: "work", arguments: { path: "shown" }, reason: "approval" as const, iteration: 1 },
  ];
  step(shell, { attempt_token: first.attempt_token, result: { __workflow_stage_parked: true, pending } });
  accepted(shell, { type: "answer_call", call_id: "c1", answer });
  return step(shell).next as StagePlan;
};

describe("what a person approves", () => {
  test("[W-10.7] is the arguments that were shown, unless others are put in their place", () => {
    expect(answered({ approved: true }).progress?.approvals).toEqual({
      c1: { approved: true, arguments: { path: "shown" } },
    });
    expect(answered({ approved: true, arguments: { path: "mine" } }).progress?.approvals).toEqual({
      c1: { approved: true, arguments: { path: "mine" } },
    });
    expect(answered({ approved: false, reason: "no" }).progress?.approvals).toEqual({
      c1: { approved: false, reason: "no" },
    });
  });
});

describe("tool hooks of a node", () => {
  test("[W-17.1] are in the plan of its agent", () => {
    expect(answered({ approved: true }).agent_loop_options?.["tool_hooks"]).toEqual(hooks);
  });

  test("[W-17.1] are checked where the workflow is defined", () => {
    const wrong = {
      ...graph,
      nodes: { a: { ...graph.nodes.a, tool_hooks: [{ pattern: "*", pre: { action: "jump" } }] } },
    };
    expect(decodeGraph(wrong)).toMatchObject({ ok: false });
  });
});
