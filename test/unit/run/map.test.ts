import { describe, expect, it } from "vitest";
import { fold } from "../../../src/engine/machine.ts";
import { outcomeOf } from "../../../src/engine/run/evolve-open.ts";
import { runMachine } from "../../../src/engine/run/machine.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { accepted, DONE, refusal, type RunShell } from "../../support/run-fixture.ts";
import { advance, complete, failure, fn, runOf, runOfNode, says, stageOf, takeAll } from "../../support/run-steps.ts";

const map = (policy: JsonObject, extra: JsonObject = {}): JsonObject => ({
  ...fn(extra),
  kind: "map",
  map_policy: policy,
});

const dataMap = (policy: JsonObject, extra: JsonObject = {}): JsonObject => ({
  kind: "map",
  map_policy: policy,
  ...extra,
});

const NOTES = [
  { kind: "note", id: "n1", text: "one" },
  { kind: "plan", id: "p1", text: "plan" },
  { kind: "note", id: "n2", text: "two", data: { n: 2 } },
];

interface MapResult {
  readonly status: string;
  readonly text: string;
  readonly join_strategy: string;
  readonly completed: readonly { readonly index: number; readonly artifact_count: number }[];
  readonly failures: readonly { readonly index: number; readonly error: string }[];
}

/** The result of the run's newest completed stage, with the lists of its branches. */
const resultOf = (shell: RunShell): MapResult => {
  const events = shell.entries().flatMap((entry) => entry.events);
  const at = events.findLastIndex(({ type }) => type === "stage_completed");
  const event = events[at];
  if (event?.type !== "stage_completed") throw new Error("no stage was completed");
  const before = fold(runMachine, runMachine.initial, events.slice(0, at));
  const unit = before?.open.find(({ stage_id }) => stage_id === event.stage_id);
  if (unit === undefined) throw new Error("a stage was completed that was not open");
  return outcomeOf(event, unit).result as unknown as MapResult;
};

/** Completes every branch, in this order of their indexes; a text ends a branch well, a failure does not. */
const settle = (shell: RunShell, results: readonly (readonly [number, JsonObject])[]): void => {
  const plans = takeAll(shell);
  for (const [index, result] of results) {
    const plan = plans.find(({ node_id }) => node_id === `m_map_${index + 1}`);
    if (plan === undefined) throw new Error(`branch ${index} was not handed out`);
    complete(shell, plan, result);
  }
};

const NO = failure("Error [auth]: no");

describe("what a map works through", () => {
  it("[W-6.6] values of its policy, each in an artifact of the item's kind and with its own task", () => {
    const { shell } = runOfNode(
      map(
        { items: ["x", { deep: 1 }], item_artifact_kind: "topic" },
        { input: { it: "{{input.kind}}", said: "{{input.text}}", task: "{{task}}" } },
      ),
    );
    const plans = takeAll(shell);
    expect(plans.map(({ node_id, kind, mode }) => [node_id, kind, mode])).toEqual([
      ["m_map_1", "stage", "function"],
      ["m_map_2", "stage", "function"],
    ]);
    expect(plans[0]).toMatchObject({
      stage_id: "run-1:m_map_1:1",
      function: { input: { it: "topic", said: "x", task: "do it\n\nMap item 1 of 2" } },
    });
    expect(plans[1]?.function?.input).toMatchObject({ task: "do it\n\nMap item 2 of 2" });
  });

  it("[W-6.6] artifacts of the item's kind where it has no values, at most as many as it may take", () => {
    const { shell } = runOfNode(map({ item_artifact_kind: "note" }, { input: "{{input.text}}" }), { artifacts: NOTES });
    expect(takeAll(shell).map((plan) => plan.function?.input)).toEqual(["one", "two"]);
    const some = runOfNode(map({ item_artifact_kind: "note", max_items: 1 }), { artifacts: NOTES });
    expect(takeAll(some.shell)).toHaveLength(1);
    const values = runOfNode(map({ items: [1, 2, 3], max_items: 2 }));
    expect(takeAll(values.shell)).toHaveLength(2);
  });

  it("[W-6.6] no value of the policy is left by max_items 0: it maps over artifacts, of which none is left either", () => {
    const { shell } = runOfNode(map({ items: [1], item_artifact_kind: "note", max_items: 0 }), { artifacts: NOTES });
    expect(advance(shell)).toMatchObject({ next: null, status: "completed" });
    expect(stageOf(shell, "m")).toMatchObject({ visible_text: "mapped 0 of 0 items", branch: "mapped" });
  });

  it("[W-6.6] nothing: it is completed at once", () => {
    const { shell } = runOfNode(map({ item_artifact_kind: "note" }));
    expect(advance(shell)).toMatchObject({ next: null, status: "completed" });
    expect(stageOf(shell, "m")).toMatchObject({
      status: "completed",
      outcome: "mapped",
      branch: "mapped",
      visible_text: "mapped 0 of 0 items",
      artifacts: [],
    });
  });

  it("[W-6.6] the output kind is the policy's, else the contract's first, else artifact", () => {
    const kinds = [
      [{ output_kind: "fact" }, {}, "fact"],
      [{}, { output_contract: { output_kinds: ["claim", "other"] } }, "claim"],
      [{}, {}, "artifact"],
    ] as const;
    for (const [policy, extra, kind] of kinds) {
      const data = runOfNode(dataMap({ items: ["x"], ...policy }, extra));
      advance(data.shell);
      expect(stageOf(data.shell, "m").artifacts).toMatchObject([{ kind }]);
      const executed = runOfNode(map({ items: ["x"], ...policy }, extra));
      settle(executed.shell, [[0, says("y")]]);
      expect(stageOf(executed.shell, "m").artifacts[0]?.kind).toBe(kind);
    }
  });
});

describe("a map over plain data", () => {
  it("[W-6.6] wraps its items in order, values without and artifacts with their lineage", () => {
    const values = runOfNode(dataMap({ items: ["a", { b: 1 }] }));
    expect(advance(values.shell)).toMatchObject({ next: null, status: "completed" });
    expect(stageOf(values.shell, "m").artifacts).toMatchObject([
      { text: "a", data: "a", lineage: [], metadata: { index: 0 } },
      { data: { b: 1 }, lineage: [], metadata: { index: 1 } },
    ]);
    const artifacts = runOfNode(dataMap({ item_artifact_kind: "note" }), { artifacts: NOTES });
    advance(artifacts.shell);
    expect(stageOf(artifacts.shell, "m").artifacts).toMatchObject([
      { text: "one", lineage: ["n1"] },
      { data: { n: 2 }, lineage: ["n2"] },
    ]);
  });

  it("[W-10.5] calls no model because the run's options name a provider", () => {
    const { shell } = runOfNode(dataMap({ items: ["a"] }), { options: { provider: "scripted", model: "m" } });
    expect(advance(shell)).toMatchObject({ next: null, status: "completed" });
    expect(stageOf(shell, "m").visible_text).toBe("mapped 1 of 1 items");
  });

  it("[W-6.6] takes as many items as its strategy waits for", () => {
    const first = runOfNode(dataMap({ items: [1, 2, 3] }, { join_policy: { strategy: "first" } }));
    advance(first.shell);
    expect(stageOf(first.shell, "m").visible_text).toBe("mapped 1 of 3 items");
    const quorum = runOfNode(dataMap({ items: [1, 2, 3] }, { join_policy: { strategy: "quorum", min_completed: 2 } }));
    advance(quorum.shell);
    expect(stageOf(quorum.shell, "m").visible_text).toBe("mapped 2 of 3 items");
  });
});

describe("how a map ends", () => {
  it("[W-6.6] the order of its results is that of its items, whoever was faster", () => {
    const { shell } = runOfNode(map({ items: [1, 2, 3] }));
    settle(shell, [
      [2, says("c")],
      [0, says("a")],
      [1, says("b")],
    ]);
    expect(stageOf(shell, "m").artifacts.map(({ text }) => text)).toEqual(["a", "b", "c"]);
    expect(shell.state?.status).toBe("completed");
  });

  it("[W-6.6] failures stand beside the successes", () => {
    const { shell } = runOfNode(map({ items: [1, 2, 3] }));
    settle(shell, [
      [1, NO],
      [2, says("c")],
      [0, says("a")],
    ]);
    expect(stageOf(shell, "m")).toMatchObject({
      status: "completed",
      outcome: "mapped",
      branch: "mapped",
      visible_text: "mapped 2 of 3 items",
    });
    const result = resultOf(shell);
    expect(result).toMatchObject({
      status: "partial",
      join_strategy: "all",
      completed: [
        { index: 0, status: "completed", artifact_count: 1, result: { text: "a" } },
        { index: 2, status: "completed", artifact_count: 1, result: { text: "c" } },
      ],
      failures: [{ index: 1, status: "failed", error: "Error [auth]: no" }],
    });
  });

  it("[W-6.6] it has failed when nothing but failures is there", () => {
    const { shell } = runOfNode(map({ items: [1, 2] }));
    settle(shell, [
      [1, NO],
      [0, NO],
    ]);
    expect(stageOf(shell, "m")).toMatchObject({
      status: "failed",
      branch: "failed",
      outcome: "mapped",
      visible_text: "map failed after 2 branch failures",
      artifacts: [],
    });
    expect(resultOf(shell).failures.map(({ index }) => index)).toEqual([0, 1]);
  });

  it("[W-6.6] with `first` one settled branch decides, also a failed one; the others are fenced", () => {
    const { shell } = runOfNode(map({ items: [1, 2, 3] }, { join_policy: { strategy: "first" } }));
    const [a, b, c] = takeAll(shell) as [StagePlan, StagePlan, StagePlan];
    const reply = complete(shell, b, says("b"));
    expect(reply).toMatchObject({ next: null, status: "completed", cancelled: [a.attempt_token, c.attempt_token] });
    expect(stageOf(shell, "m").artifacts.map(({ text }) => text)).toEqual(["b"]);
    expect(stageOf(shell, "m").metadata["map"]).toEqual({
      total: 3,
      started: 3,
      settled: 1,
      cancelled: [0, 2],
      attempts: {},
    });
    const failed = runOfNode(map({ items: [1, 2] }, { join_policy: { strategy: "first" } }));
    settle(failed.shell, [[0, NO]]);
    expect(stageOf(failed.shell, "m").status).toBe("failed");
  });

  it("[I6] a branch that lost is refused, whether or not anything else is open", () => {
    const over = runOf({
      entry: "m",
      nodes: { m: map({ items: [1, 2] }, { join_policy: { strategy: "first" } }), next: fn() },
      edges: [{ from: "m", to: "next" }],
    });
    const [a, b] = takeAll(over.shell) as [StagePlan, StagePlan];
    expect(complete(over.shell, a).next?.node_id).toBe("next");
    const late = {
      type: "advance",
      live_attempts: [],
      complete: { attempt_token: b.attempt_token, result: DONE },
    } as const;
    expect(refusal(over.shell, late).code).toBe("stale_attempt");
    accepted(over.shell, { type: "complete_stage", node_id: "next", attempt_token: null, result: DONE });
    expect(refusal(over.shell, late).code).toBe("no_prepared_stage");
  });

  it.each([
    [{ strategy: "quorum", min_completed: 2 }, 2],
    [{ strategy: "quorum" }, 1],
    [{ strategy: "quorum", min_completed: 99 }, 3],
    [{ strategy: "quorum", min_completed: 0 }, 1],
    [{ strategy: "whatever" }, 3],
  ] as const)("[W-6.6] %j waits for %i of three branches", (join, target) => {
    const { shell } = runOfNode(map({ items: [1, 2, 3] }, { join_policy: join }));
    const plans = takeAll(shell);
    for (const [index, plan] of plans.entries()) {
      expect(shell.state?.status).toBe(index < target ? "running" : "completed");
      if (index < target) complete(shell, plan, index === 0 ? NO : says(`r${index}`));
    }
    expect(shell.state?.status).toBe("completed");
    expect(resultOf(shell)).toMatchObject({ join_strategy: join.strategy, failures: [{ index: 0 }] });
  });

  it("[W-6.6] usage of its branches is that of the map", () => {
    const { shell } = runOfNode(map({ items: [1, 2] }));
    const usage = { input_tokens: 3, output_tokens: 1, call_count: 1, total_cost: 0.5, models: ["m"] };
    settle(shell, [
      [0, { ...says("a"), usage }],
      [1, { ...says("b"), usage }],
    ]);
    expect(stageOf(shell, "m").usage).toMatchObject({
      input_tokens: 6,
      output_tokens: 2,
      call_count: 2,
      total_cost: 1,
    });
  });
});
