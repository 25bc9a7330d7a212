import { describe, expect, it } from "vitest";
import { projectRun } from "../../../src/engine/run/project.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { accepted, DONE, driveAll, refusal, type RunFixture, step } from "../../support/run-fixture.ts";
import {
  advance,
  complete,
  failure,
  fn,
  planIn,
  recordOf,
  runOf,
  runOfNode,
  says,
  stageOf,
  takeAll,
} from "../../support/run-steps.ts";

const map = (policy: JsonObject, extra: JsonObject = {}): JsonObject => ({
  ...fn(extra),
  kind: "map",
  map_policy: policy,
});

const nodes = (plans: readonly StagePlan[]): readonly string[] => plans.map((plan) => plan.node_id);

describe("the branches of a map", () => {
  it("[W-6.6] are under way at most as many as the node allows, the next when one settles", () => {
    const { shell } = runOfNode(map({ items: [1, 2, 3, 4], max_concurrent: 2 }));
    const [a, b] = takeAll(shell) as [StagePlan, StagePlan];
    expect(nodes([a, b])).toEqual(["m_map_1", "m_map_2"]);
    expect(advance(shell)).toMatchObject({ next: null, waiting: "other_driver" });
    expect(complete(shell, b).next?.node_id).toBe("m_map_3");
    expect(complete(shell, a).next?.node_id).toBe("m_map_4");
    expect(shell.state?.steps).toBe(1);
  });

  it("[architecture 3] say how many more drivers would find something to do", () => {
    const { shell } = runOfNode(map({ items: [1, 2, 3], max_concurrent: 3 }));
    expect([advance(shell).spare, advance(shell).spare, advance(shell).spare]).toEqual([2, 1, undefined]);
  });

  it("[W-6.6] without a bound at most 64 are under way", () => {
    const { shell } = runOfNode(map({ items: Array.from({ length: 100 }, (_, index) => index) }));
    expect(takeAll(shell)).toHaveLength(64);
  });

  it("[W-6.9] are tried again as the node's policy says, each for itself", () => {
    const { shell, clock } = runOfNode(
      map({ items: [1, 2] }, { retry_policy: { max_attempts: 2, backoff_ms: 1_000, jitter: 0 } }),
    );
    const [a, b] = takeAll(shell) as [StagePlan, StagePlan];
    const flaky = failure("Error [timeout]: late", { retryable: true });
    expect(complete(shell, a, flaky)).toMatchObject({ next: null, waiting: "other_driver" });
    expect(complete(shell, b, says("b"))).toMatchObject({ next: null, waiting: "retry" });
    clock.now += 1_000;
    const again = planIn(advance(shell));
    expect(again).toMatchObject({ node_id: "m_map_1", attempt: 2, idempotency_key: a.idempotency_key });
    complete(shell, again, flaky);
    expect(stageOf(shell, "m")).toMatchObject({ visible_text: "mapped 1 of 2 items", branch: "mapped" });
    expect(stageOf(shell, "m").metadata["map"]).toMatchObject({ settled: 2, cancelled: [], attempts: { 0: 2 } });
  });

  it("[W-6.6] that failed are counted in the record, the first of them with what went wrong", () => {
    const { shell } = runOfNode(map({ items: Array.from({ length: 30 }, (_, index) => index) }));
    const plans = takeAll(shell);
    const long = `Error [generic]: ${"x".repeat(600)}`;
    for (const plan of plans.toReversed())
      complete(shell, plan, plan.node_id === "m_map_3" ? says("fine") : failure(long));
    const { failed, failures, ...rest } = stageOf(shell, "m").metadata["map"] as JsonObject;
    expect(rest).toMatchObject({ settled: 30 });
    expect(failed).toBe(29);
    expect(failures).toHaveLength(20);
    expect((failures as readonly JsonObject[]).slice(0, 3)).toEqual([
      { index: 0, error: long.slice(0, 500) },
      { index: 1, error: long.slice(0, 500) },
      { index: 3, error: long.slice(0, 500) },
    ]);
  });

  it("[I7] whose driver is lost are given to another one, the others stay with theirs", () => {
    const { shell } = runOfNode(map({ items: [1, 2] }));
    const [a, b] = takeAll(shell) as [StagePlan, StagePlan];
    const reply = advance(shell, { live_attempts: [b.attempt_token] });
    expect(reply.next).toMatchObject({ node_id: "m_map_1", attempt: 2 });
    const late = {
      type: "advance",
      live_attempts: [],
      complete: { attempt_token: a.attempt_token, result: DONE },
    } as const;
    expect(refusal(shell, late).code).toBe("stale_attempt");
    complete(shell, b);
    expect(complete(shell, planIn(reply)).status).toBe("completed");
  });

  it("[W-6.6] that cannot be prepared fail at once, and the map goes on", () => {
    const { shell } = runOfNode(map({ items: [{ id: 1 }, "no id", { id: 3 }] }, { input: "{{input.data.id}}" }));
    const plans = takeAll(shell);
    expect(nodes(plans)).toEqual(["m_map_1", "m_map_3"]);
    for (const plan of plans) complete(shell, plan);
    expect(stageOf(shell, "m").visible_text).toBe("mapped 2 of 3 items");
    const none = runOfNode(map({ items: [1, 2] }, { input: "{{nodes.nobody.text}}" }));
    expect(advance(none.shell)).toMatchObject({ next: null, status: "completed" });
    expect(stageOf(none.shell, "m")).toMatchObject({ status: "failed", branch: "failed" });
  });

  it.each(["sleep", "wait"])("[W-6.6] cannot %s because the run says so: nobody would execute them", (mode) => {
    const { mode: _mode, ...node } = map({ items: [1] });
    const { shell } = runOfNode({ ...node, prompt: "look at it" }, { options: { mode } });
    expect(advance(shell)).toMatchObject({ next: null, status: "completed" });
    expect(stageOf(shell, "m")).toMatchObject({ status: "failed", visible_text: "map failed after 1 branch failures" });
  });

  it("[W-4.5] with mode external are taken and completed one by one by callers", () => {
    const { shell } = runOfNode({ ...map({ items: [1, 2] }), mode: "external" });
    expect(advance(shell)).toMatchObject({ next: null, waiting: "external" });
    for (const node_id of ["m_map_2", "m_map_1"]) {
      const offered = accepted(shell, { type: "prepare_stage", node_id, live_attempts: [] });
      if (offered.type !== "plan") throw new Error(offered.type);
      expect(offered.plan).toMatchObject({ node_id, attempt: 1, mode: "external" });
      const { attempt_token } = offered.plan;
      accepted(shell, { type: "complete_stage", node_id, attempt_token, result: says(node_id) });
    }
    expect(advance(shell)).toMatchObject({ next: null, status: "completed" });
    expect(stageOf(shell, "m").artifacts.map(({ text }) => text)).toEqual(["m_map_1", "m_map_2"]);
  });

  it("[I2] that have settled are never executed again, whatever instance goes on", () => {
    const fixture = runOfNode(map({ items: [1, 2, 3] }));
    const [a, b] = takeAll(fixture.shell) as [StagePlan, StagePlan];
    complete(fixture.shell, a, says("a"));
    complete(fixture.shell, b, says("b"));
    const reloaded = fixture.reload();
    expect(JSON.stringify(reloaded.state)).toBe(JSON.stringify(fixture.shell.state));
    const reply = step(reloaded);
    expect(reply.next).toMatchObject({ node_id: "m_map_3", attempt: 2 });
    expect(complete(reloaded, planIn(reply), says("c")).status).toBe("completed");
    expect(stageOf(reloaded, "m").artifacts.map(({ text }) => text)).toEqual(["a", "b", "c"]);
  });

  it("[I5] answer a repeated completion as before, also when the map has ended", () => {
    const { shell } = runOfNode(map({ items: [1] }));
    const plan = planIn(advance(shell));
    const answer = complete(shell, plan, says("a"));
    const seq = shell.seq;
    expect(complete(shell, plan, says("a"))).toMatchObject({ next: null, status: answer.status });
    expect(shell.seq).toBe(seq);
    const other = {
      type: "advance",
      live_attempts: [],
      complete: { attempt_token: plan.attempt_token, result: DONE },
    } as const;
    expect(refusal(shell, other).code).toBe("stale_attempt");
  });
});

describe("a map in its run", () => {
  it("[W-5] in a loop is executed each time anew", () => {
    const { shell } = runOf(
      {
        entry: "m",
        nodes: { m: map({ items: [1, 2] }), c: fn() },
        edges: [
          { from: "m", to: "c" },
          { from: "c", to: "m" },
        ],
      },
      { options: { max_steps: 4 } },
    );
    expect(driveAll(shell)).toEqual(["m_map_1", "m_map_2", "c", "m_map_1", "m_map_2", "c"]);
    const ids = shell
      .entries()
      .flatMap(({ events }) => events.flatMap((e) => (e.type === "branch_prepared" ? [e.stage_id] : [])));
    expect(new Set(ids).size).toBe(4);
    expect(recordOf(shell).stages.map(({ id }) => id)).toEqual(["run-1:m:1", "run-1:c:2", "run-1:m:3", "run-1:c:4"]);
  });

  it("[architecture 7] paused in the middle starts no branch, keeps those that end, and goes on when resumed", () => {
    const { shell } = runOfNode(map({ items: [1, 2, 3], max_concurrent: 2 }));
    const [a, b] = takeAll(shell) as [StagePlan, StagePlan];
    accepted(shell, { type: "pause_run" });
    expect(complete(shell, a)).toMatchObject({ next: null, status: "paused" });
    accepted(shell, { type: "resume_run" });
    expect(nodes(takeAll(shell))).toEqual(["m_map_3"]);
    complete(shell, b);
    expect(shell.state?.open.map((unit) => unit.node_id)).toEqual(["m", "m_map_3"]);
  });

  it("[I6] cancelled in the middle takes no branch any more", () => {
    const { shell } = runOfNode(map({ items: [1, 2] }));
    const [a] = takeAll(shell) as [StagePlan];
    accepted(shell, { type: "cancel_run" });
    const late = {
      type: "advance",
      live_attempts: [],
      complete: { attempt_token: a.attempt_token, result: DONE },
    } as const;
    expect(refusal(shell, late).code).toBe("invalid_transition");
    expect(recordOf(shell).stages).toEqual([]);
  });

  it("[W-5] several maps are open at once, the older one served first, and recorded in order", () => {
    const { shell } = runOf(
      {
        entry: "f",
        nodes: {
          f: { kind: "fork" },
          m: map({ items: [1, 2], max_concurrent: 1 }),
          n: map({ items: [1, 2], max_concurrent: 1 }),
        },
        edges: [
          { from: "f", to: "m" },
          { from: "f", to: "n" },
        ],
      },
      { options: { max_parallel: 2 } },
    );
    const [m1, n1] = takeAll(shell) as [StagePlan, StagePlan];
    expect(nodes([m1, n1])).toEqual(["m_map_1", "n_map_1"]);
    const n2 = planIn(complete(shell, n1));
    expect(n2.node_id).toBe("n_map_2");
    expect(complete(shell, n2)).toMatchObject({ next: null });
    expect(recordOf(shell).stages.map(({ node_id }) => node_id)).toEqual(["f"]);
    const m2 = planIn(complete(shell, m1));
    expect(complete(shell, m2).status).toBe("completed");
    expect(recordOf(shell).stages.map(({ node_id }) => node_id)).toEqual(["f", "m", "n"]);
  });

  it("[W-4.1] a caller who walks the graph by hand gets its branches one by one", () => {
    const { shell } = runOfNode(map({ items: [1, 2] }), { drive: "manual" });
    const first = planIn(advance(shell, { holder: "caller" }));
    expect(first).toMatchObject({ node_id: "m_map_1", lease_expires_at: expect.any(String) as string });
    const second = planIn(advance(shell, { holder: "caller" }));
    advance(shell, { holder: "caller", complete: { attempt_token: first.attempt_token, result: says("a") } });
    const end = advance(shell, {
      holder: "caller",
      complete: { attempt_token: second.attempt_token, result: says("b") },
    });
    expect(end.status).toBe("completed");
    expect(stageOf(shell, "m").artifacts.map(({ text }) => text)).toEqual(["a", "b"]);
  });
});

const taken = (): RunFixture & { readonly plan: StagePlan } => {
  const fixture = runOfNode(map({ item_artifact_kind: "note" }), {
    drive: "manual",
    artifacts: [{ kind: "note", id: "n1", text: "one" }],
  });
  const reply = accepted(fixture.shell, { type: "prepare_stage", node_id: "m", live_attempts: [] });
  if (reply.type !== "plan") throw new Error(reply.type);
  return { ...fixture, plan: reply.plan };
};

const finish = (result: JsonObject) => {
  const { shell, plan } = taken();
  const reply = accepted(shell, {
    type: "complete_stage",
    node_id: "m",
    attempt_token: plan.attempt_token,
    result,
  });
  if (reply.type !== "completed") throw new Error(reply.type);
  const record = projectRun(shell.entries(), { now: 0, nextId: () => "id" });
  return { stage: record?.stages[0], branch: reply.stage.branch };
};

describe("a map that a caller executes as a whole", () => {
  it("[W-4.5] is given the node, the artifacts and the task", () => {
    const { plan, shell } = taken();
    expect(plan).toMatchObject({
      run_map_stage: true,
      node: { kind: "map" },
      artifacts: [{ id: "n1" }],
      map_options: { task: "do it" },
    });
    expect(shell.state?.open[0]?.map).toBeNull();
  });

  it("[W-4.6] ends as its answer says", () => {
    const { stage, branch } = finish({
      result: { status: "partial", text: "mapped 1 of 2 items" },
      artifacts: [{ kind: "note", text: "out" }],
      outcome: "mapped",
      branch: "mapped",
    });
    expect(branch).toBe("mapped");
    expect(stage).toMatchObject({ status: "completed", outcome: "mapped", visible_text: "mapped 1 of 2 items" });
    expect(stage?.artifacts).toMatchObject([{ kind: "note", text: "out" }]);
    expect(finish({ result: {}, artifacts: [], outcome: "mapped", branch: "failed" }).stage?.status).toBe("failed");
  });

  it.each([
    [{}, "missing field `result`"],
    [{ result: 1 }, "missing field `result`"],
    [{ result: {} }, "missing field `artifacts`"],
    [{ result: {}, artifacts: {} }, "missing field `artifacts`"],
    [{ result: {}, artifacts: [1] }, "artifacts: expected objects"],
    [{ result: {}, artifacts: [] }, "missing field `outcome`"],
    [{ result: {}, artifacts: [], outcome: "mapped", branch: 1 }, "branch: expected a string"],
  ] as const)("[W-4.6] has failed when its answer is %j", (answer, flaw) => {
    const { stage, branch } = finish(answer as unknown as JsonObject);
    expect(branch).toBe("error");
    expect(stage).toMatchObject({
      status: "failed",
      metadata: { error: `workflow_execute_map_stage returned invalid shape: ${flaw}` },
    });
  });

  it("[W-4.6] has failed when the call did", () => {
    expect(finish(failure("Error [timeout]: late")).stage).toMatchObject({
      status: "failed",
      branch: "error",
      metadata: { error: "Error [timeout]: late" },
    });
  });
});
