import { describe, expect, it } from "vitest";
import type { AdvanceReply } from "../../../src/engine/run/command.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { accepted, DONE } from "../../support/run-fixture.ts";
import {
  advance,
  complete,
  failure,
  fn,
  planIn,
  recordOf,
  runOf,
  says,
  stageOf,
  takeAll,
} from "../../support/run-steps.ts";

const edges = (...pairs: readonly string[]): readonly JsonObject[] =>
  pairs.map((pair) => {
    const [from = "", to = ""] = pair.split(">");
    return { from, to };
  });

const FORK = {
  entry: "f",
  nodes: { f: { kind: "fork" }, a: fn(), b: fn(), c: fn(), j: { kind: "join" }, r: fn() },
  edges: edges("f>a", "f>b", "f>c", "a>j", "b>j", "c>j", "j>r"),
};

const forked = (max_parallel: number, more: JsonObject = {}) => runOf(FORK, { options: { max_parallel, ...more } });

const nodes = (plans: readonly StagePlan[]): readonly string[] => plans.map((plan) => plan.node_id);

const recorded = (shell: Parameters<typeof recordOf>[0]): readonly string[] =>
  recordOf(shell).stages.map((stage) => stage.node_id);

/** All orders of some things. */
const orders = <T>(things: readonly T[]): readonly (readonly T[])[] =>
  things.length < 2
    ? [things]
    : things.flatMap((first, at) => orders(things.toSpliced(at, 1)).map((rest) => [first, ...rest]));

describe("a run with parallel places", () => {
  it("[W-5] has at most so many stages open, one in the order of the specification", () => {
    expect(nodes(takeAll(forked(1).shell))).toEqual(["a"]);
    expect(nodes(takeAll(forked(2).shell))).toEqual(["a", "b"]);
    expect(nodes(takeAll(forked(64).shell))).toEqual(["a", "b", "c"]);
  });

  it("[architecture 3] says how many more drivers would find something to do", () => {
    const { shell } = forked(3);
    expect([advance(shell).spare, advance(shell).spare, advance(shell).spare]).toEqual([2, 1, undefined]);
    expect(advance(forked(1).shell).spare).toBeUndefined();
  });

  it("[W-4.6] takes stages into its record in the order of their preparation, whoever was faster", () => {
    const records = orders(["a", "b", "c"]).map((order) => {
      const { shell } = forked(3);
      const plans = takeAll(shell);
      const answers = order.map((node) =>
        complete(shell, plans.find((plan) => plan.node_id === node) as StagePlan, says(node)),
      );
      complete(shell, planIn(answers.at(-1) as AdvanceReply), says("r"));
      expect(shell.state?.status).toBe("completed");
      const { stages, transitions, artifacts, completed_nodes } = recordOf(shell);
      return {
        stages: stages.map(({ id, consumed_artifact_ids: used }) => [id, used.length]),
        transitions: transitions.map(({ from_node_id, to_node_id }) => [from_node_id, to_node_id]),
        texts: artifacts.map(({ text }) => text),
        completed_nodes,
      };
    });
    expect(records).toHaveLength(6);
    for (const record of records) expect(record).toEqual(records[0]);
    expect(records[0]?.stages.map(([id]) => id)).toEqual([
      "run-1:f:1",
      "run-1:a:2",
      "run-1:b:3",
      "run-1:c:4",
      "run-1:j:5",
      "run-1:r:6",
    ]);
  });

  it("[I5] answers the holder of a stage that waits for its turn, also a second time", () => {
    const { shell } = forked(2);
    const [, b] = takeAll(shell) as [StagePlan, StagePlan];
    const complete_b = { attempt_token: b.attempt_token, result: says("b") };
    const answer = advance(shell, { complete: complete_b, report: true });
    expect(answer).toMatchObject({
      next: null,
      waiting: "other_driver",
      stage: { stage_id: b.stage_id, branch: "success" },
    });
    expect(recorded(shell)).toEqual(["f"]);
    expect(advance(shell, { complete: complete_b, report: true })).toEqual(answer);
  });

  it("[W-5.2] opens a join only when all its inputs are in the record", () => {
    const { shell } = forked(2);
    const [a, b] = takeAll(shell) as [StagePlan, StagePlan];
    const c = planIn(complete(shell, a));
    expect(c.node_id).toBe("c");
    expect(complete(shell, c)).toMatchObject({ next: null, waiting: "other_driver" });
    expect(complete(shell, b).next?.node_id).toBe("r");
    expect(recorded(shell)).toEqual(["f", "a", "b", "c", "j"]);
    // A join that waits beside open stages takes no steps.
    expect(shell.state?.steps).toBe(6);
  });

  it("[W-5.1] follows the edges of a branch that failed without touching the others", () => {
    const { shell } = runOf(
      {
        entry: "f",
        nodes: { f: { kind: "fork" }, a: fn(), b: fn(), mend: fn() },
        edges: [...edges("f>a", "f>b"), { from: "a", to: "mend", branch: "error" }],
      },
      { options: { max_parallel: 2 } },
    );
    const [a, b] = takeAll(shell) as [StagePlan, StagePlan];
    expect(complete(shell, a, failure("Error [auth]: no")).next?.node_id).toBe("mend");
    expect(complete(shell, b)).toMatchObject({ next: null, waiting: "other_driver" });
    expect(recorded(shell)).toEqual(["f", "a", "b"]);
    expect(stageOf(shell, "a")).toMatchObject({ status: "failed", branch: "error" });
  });

  it("[W-5.3] opens nothing beyond its steps, keeps what is open, and goes on where it stopped", () => {
    const { shell } = forked(3, { max_steps: 3 });
    const [a, b] = takeAll(shell) as [StagePlan, StagePlan];
    expect(nodes([a, b])).toEqual(["a", "b"]);
    expect(complete(shell, b)).toMatchObject({ next: null, waiting: "other_driver" });
    expect(complete(shell, a)).toMatchObject({ next: null, status: "paused" });
    expect(shell.state).toMatchObject({ steps: 3, ready: ["c", "j"], open: [] });
    expect(recordOf(shell).checkpoints.at(-1)).toMatchObject({ reason: "finalize", ready_nodes: ["c", "j"] });
    accepted(shell, { type: "resume_run" });
    expect(complete(shell, planIn(advance(shell))).next?.node_id).toBe("r");
  });

  it("[W-5] opens no node twice at a time: a second visit comes after the first", () => {
    const { shell } = runOf(
      {
        entry: "f",
        nodes: { f: { kind: "fork" }, a: fn(), b: fn() },
        edges: edges("f>a", "f>b", "a>b"),
      },
      { options: { max_parallel: 3 } },
    );
    const [a, b] = takeAll(shell) as [StagePlan, StagePlan];
    expect(complete(shell, a)).toMatchObject({ next: null, waiting: "other_driver" });
    expect(shell.state?.ready).toEqual(["b"]);
    expect(recordOf(shell).pending_nodes).toEqual(["b", "b"]);
    expect(complete(shell, b).next).toMatchObject({ node_id: "b", stage_id: "run-1:b:4" });
  });

  it("[W-5] a stage that waits for the outside takes no place and holds nobody up", () => {
    const { shell } = runOf(
      {
        entry: "f",
        nodes: { f: { kind: "fork" }, ask: { kind: "stage", mode: "external" }, a: fn(), b: fn(), c: fn() },
        edges: edges("f>ask", "f>a", "f>b", "f>c"),
      },
      { options: { max_parallel: 2 } },
    );
    const [a, b] = takeAll(shell) as [StagePlan, StagePlan];
    expect(nodes([a, b])).toEqual(["a", "b"]);
    const c = planIn(complete(shell, a));
    complete(shell, b);
    expect(complete(shell, c)).toMatchObject({ next: null, waiting: "external" });
    expect(recorded(shell)).toEqual(["f", "a", "b", "c"]);
    accepted(shell, { type: "complete_stage", node_id: "ask", attempt_token: null, result: DONE });
    expect(advance(shell).status).toBe("completed");
    expect(recorded(shell)).toEqual(["f", "a", "b", "c", "ask"]);
  });

  it("[W-4.1] who walks the graph by hand has one stage at a time, whatever the options say", () => {
    const { shell } = runOf(FORK, { drive: "manual", options: { max_parallel: 8 } });
    expect(nodes(takeAll(shell))).toEqual(["a"]);
  });

  it("[I2] folds to the same state from its journal, with stages in every condition", () => {
    const fixture = forked(3);
    const [, b] = takeAll(fixture.shell) as [StagePlan, StagePlan];
    complete(fixture.shell, b);
    const reloaded = fixture.reload();
    expect(JSON.stringify(reloaded.state)).toBe(JSON.stringify(fixture.shell.state));
    expect(reloaded.state?.open.map((unit) => [unit.node_id, unit.settled !== null])).toEqual([
      ["a", false],
      ["b", true],
      ["c", false],
    ]);
  });
});
