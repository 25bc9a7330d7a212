import { describe, expect, it } from "vitest";
import type { RunCommand } from "../../../src/engine/run/command.ts";
import { needsDriver } from "../../../src/engine/run/wake.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { AgentStep, ToolAnswer } from "../../../src/schema/agent-step.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { accepted, DONE, refusal, type RunFixture, type RunShell } from "../../support/run-fixture.ts";
import {
  advance,
  complete,
  planIn,
  recordOf,
  runOf,
  runOfNode,
  says,
  stageOf,
  takeAll,
} from "../../support/run-steps.ts";

const agent = (extra: JsonObject = {}): JsonObject => ({ kind: "stage", mode: "agent", prompt: "Work", ...extra });

const step = (number: number, more: Partial<AgentStep> = {}, token = "?") =>
  ({
    type: "record_step",
    attempt_token: token,
    number,
    step: { iteration: 1, messages: [{ role: "assistant", content: `step ${number}` }], ...more },
  }) as const;

const CALL = {
  call_id: "c1",
  tool_name: "ask",
  arguments: { q: 1 },
  status: "ok",
  result: "yes",
  duration_ms: 5,
  idempotency_key: "run-1:m:1:c1",
  iteration: 1,
  started_at: "2026-01-01T00:00:00.000Z",
} as const;

const USED = {
  input_tokens: 5,
  output_tokens: 2,
  total_duration_ms: 1,
  call_count: 1,
  total_cost: 1,
  models: ["m"],
} as const;

const waits = (call_id: string, reason: "client_tool" | "approval" = "client_tool"): JsonObject => ({
  call_id,
  tool_name: "ask",
  arguments: { of: call_id },
  reason,
  iteration: 1,
});

const parked = (...pending: readonly JsonObject[]): JsonObject => ({ __workflow_stage_parked: true, pending });

const answer = (call_id: string, given: ToolAnswer, stage_id?: string): RunCommand => ({
  type: "answer_call",
  call_id,
  answer: given,
  ...(stage_id === undefined ? {} : { stage_id }),
});

interface Started extends RunFixture {
  readonly plan: StagePlan;
  readonly record: (number: number, more?: Partial<AgentStep>) => void;
}

const started = (node: JsonObject = agent(), more: Parameters<typeof runOfNode>[1] = {}): Started => {
  const fixture = runOfNode(node, more);
  const plan = planIn(advance(fixture.shell, more.drive === "manual" ? { holder: "caller" } : {}));
  return {
    ...fixture,
    plan,
    record: (number, part) => void accepted(fixture.shell, step(number, part, plan.attempt_token)),
  };
};

const lost = (shell: RunShell): StagePlan => planIn(advance(shell, { live_attempts: [] }));

const loopOf = (shell: RunShell) => shell.state?.open[0]?.loop ?? null;

describe("the steps of an agent loop", () => {
  it("[W-6.8] are recorded in order, each in one commit and one row", () => {
    const { shell, record, rows } = started();
    const before = rows.length;
    record(0, { messages: [{ role: "user", content: "Work" }] });
    record(1, { tool_call: CALL });
    record(2, {
      iteration: 2,
      usage: USED,
    });
    expect(rows.slice(before)).toEqual([1, 1, 1]);
    expect(loopOf(shell)).toMatchObject({ steps: 3, iterations: 2, usage: { input_tokens: 5 } });
    expect(recordOf(shell).tool_recordings).toMatchObject([
      { tool_name: "ask", tool_use_id: "c1", result: "yes", is_rejected: false, duration_ms: 5, iteration: 1 },
    ]);
  });

  it("[W-12.9] count with what they have used, also when the stage is given up", () => {
    const { shell, record } = started();
    record(0, { usage: USED });
    for (let attempt = 2; attempt <= 5; attempt++) lost(shell);
    expect(advance(shell, { live_attempts: [] })).toMatchObject({ next: null, status: "completed" });
    expect(shell.state?.usage).toEqual(USED);
    expect(stageOf(shell, "m")).toMatchObject({ status: "failed", branch: "error", usage: USED });
  });

  it("[W-12.9] count with what they have used, also in a branch that its map waits for no more", () => {
    const join = { map_policy: { items: [1, 2] }, join_policy: { strategy: "first" } };
    const { shell } = runOfNode(agent({ kind: "map", ...join }));
    const [first, second] = takeAll(shell) as [StagePlan, StagePlan];
    accepted(shell, step(0, { usage: USED }, second.attempt_token));
    expect(complete(shell, first, { ...says("a"), usage: USED })).toMatchObject({ status: "completed" });
    expect(shell.state?.usage).toMatchObject({ input_tokens: 10, call_count: 2 });
  });

  it("[I5] change nothing when they come again, and must not leave one out", () => {
    const { shell, record, plan } = started();
    record(0);
    record(1);
    const seq = shell.seq;
    record(0);
    record(1);
    expect(shell.seq).toBe(seq);
    expect(refusal(shell, step(3, {}, plan.attempt_token))).toMatchObject({
      code: "invalid_transition",
      detail: "step 3 of run-1:m:1 does not follow step 2",
    });
  });

  it("[I6] are refused from whoever does not hold the stage", () => {
    const { shell, plan } = started();
    const again = lost(shell);
    for (const token of [plan.attempt_token, "unknown"])
      expect(refusal(shell, step(0, {}, token)).code).toBe("stale_attempt");
    accepted(shell, step(0, {}, again.attempt_token));
    complete(shell, again);
    expect(refusal(shell, step(1, {}, again.attempt_token)).code).toBe("stale_attempt");
  });

  it("[I6] are taken while the run is paused, and no more once it is cancelled", () => {
    const { shell, record, plan } = started();
    accepted(shell, { type: "pause_run" });
    record(0);
    accepted(shell, { type: "cancel_run" });
    expect(refusal(shell, step(1, {}, plan.attempt_token)).code).toBe("stale_attempt");
  });

  it("[architecture 3] of a lost attempt are given to the next one, which goes on from there", () => {
    const { shell, record } = started();
    record(0, { messages: [{ role: "user", content: "Work" }] });
    record(1, { tool_call: CALL });
    const again = lost(shell);
    expect(again).toMatchObject({
      attempt: 2,
      session: {
        messages: [
          { role: "user", content: "Work" },
          { role: "assistant", content: "step 1" },
        ],
      },
      progress: { steps: 2, iterations: 1, tool_calls: [{ call_id: "c1" }], messages_from: 0, approvals: {} },
    });
    accepted(shell, step(2, {}, again.attempt_token));
    expect(loopOf(shell)?.steps).toBe(3);
  });

  it("[W-14.4] that compact the conversation move where the stage's own messages begin", () => {
    const { shell } = runOfNode(agent({ model_policy: { session_id: "talk" } }));
    accepted(shell, { type: "session", op: "open", session_id: "talk" });
    for (const content of ["a", "b", "c", "d"])
      accepted(shell, { type: "session", op: "inject", session_id: "talk", message: { role: "user", content } });
    const plan = planIn(advance(shell));
    const event = {
      keep_first: 1,
      archived: 2,
      summary: "b and c",
      event_id: "event_1",
      metadata: {},
      snapshot_asset_id: null,
    };
    accepted(shell, step(0, {}, plan.attempt_token));
    accepted(shell, step(1, { compaction: { event, revision: plan.session?.revision ?? 0 } }, plan.attempt_token));
    const again = lost(shell);
    const own = again.session?.messages.slice(again.progress?.messages_from) ?? [];
    expect(again.session?.messages).toHaveLength(5);
    expect(own.map((message) => (message as JsonObject)["content"])).toEqual(["step 0", "step 1"]);
    expect(again.progress?.steps).toBe(2);
  });
});

describe("an agent loop that waits for answers", () => {
  it("[W-10.7] is nobody's; the waiting attempt has ended in order", () => {
    const { shell, plan } = started();
    expect(complete(shell, plan, parked(waits("c1")))).toEqual({ next: null, status: "running", waiting: "tool_call" });
    expect(needsDriver(shell.state as Run, [], 10_000_000)).toBe(false);
    expect(advance(shell)).toMatchObject({ next: null, waiting: "tool_call" });
    expect(refusal(shell, step(0, {}, plan.attempt_token)).code).toBe("stale_attempt");
  });

  it("[I5] takes the same waiting completion again, and no other of that attempt", () => {
    const { shell, plan } = started();
    complete(shell, plan, parked(waits("c1")));
    const seq = shell.seq;
    expect(complete(shell, plan, parked(waits("c1")))).toMatchObject({ next: null, waiting: "tool_call" });
    expect(shell.seq).toBe(seq);
    const other = {
      type: "advance",
      live_attempts: [],
      complete: { attempt_token: plan.attempt_token, result: DONE },
    } as const;
    expect(refusal(shell, other).code).toBe("stale_attempt");
    accepted(shell, answer("c1", { result: "yes" }));
    expect(refusal(shell, other).code).toBe("stale_attempt");
  });

  it("[W-10.7] goes on with the result of its client in the conversation and in the record", () => {
    const { shell, plan, record, clock } = started();
    record(0, { messages: [{ role: "user", content: "Work" }] });
    complete(shell, plan, parked(waits("c1")));
    clock.now += 3_000;
    accepted(shell, answer("c1", { result: { n: 1 } }));
    const again = planIn(advance(shell));
    expect(again).toMatchObject({ attempt: 2, stage_id: plan.stage_id, progress: { steps: 1 } });
    expect(again.session?.messages.at(-1)).toMatchObject({ role: "tool_result", tool_call_id: "c1" });
    expect(again.progress?.tool_calls).toMatchObject([
      { call_id: "c1", status: "ok", result: { n: 1 }, duration_ms: 3_000, idempotency_key: "run-1:m:1:c1" },
    ]);
    complete(shell, again, says("done"));
    expect(stageOf(shell, "m").attempts).toMatchObject([
      { attempt: 1, status: "completed", outcome: "waiting", branch: null, error: null },
      { attempt: 2, status: "completed", outcome: "success" },
    ]);
    expect(recordOf(shell).tool_recordings).toMatchObject([{ tool_use_id: "c1", result: '{"n":1}' }]);
  });

  it("[W-10.7] tells of a client's failure", () => {
    const { shell, plan } = started();
    complete(shell, plan, parked(waits("c1")));
    accepted(shell, answer("c1", { result: "broke", is_error: true }));
    expect(loopOf(shell)?.tool_calls.toArray()).toMatchObject([{ status: "error", error_category: "tool_error" }]);
  });

  it("[W-10.4] goes on with what a person said to its call", () => {
    const approvals = [
      { approved: true },
      { approved: false, reason: "too dear" },
      { approved: true, arguments: { of: "less" } },
    ];
    for (const approval of approvals) {
      const { shell, plan } = started();
      complete(shell, plan, parked(waits("c1", "approval")));
      accepted(shell, answer("c1", approval));
      expect(planIn(advance(shell)).progress).toMatchObject({ approvals: { c1: approval }, tool_calls: [] });
    }
  });

  it("[W-10.7] waits until the last of its calls is answered", () => {
    const fixture = started();
    const { shell, plan, store } = fixture;
    const drives = (): number => store.query("SELECT effect FROM outbox WHERE effect LIKE '%\"drive\"%'").length;
    complete(shell, plan, parked(waits("c1"), waits("c2", "approval")));
    accepted(shell, answer("c1", { result: 1 }));
    expect(advance(shell)).toMatchObject({ next: null, waiting: "tool_call" });
    expect([loopOf(shell)?.pending.length, drives()]).toEqual([1, 0]);
    accepted(shell, answer("c2", { approved: true }));
    expect(drives()).toBe(1);
    expect(needsDriver(shell.state as Run, [], fixture.clock.now)).toBe(true);
    expect(advance(shell).next?.attempt).toBe(2);
  });

  it("[W-10.7] refuses answers that do not fit, each with its reason", () => {
    const { shell, plan } = started();
    complete(shell, plan, parked(waits("c1"), waits("c2", "approval")));
    const seq = shell.seq;
    const refused = [
      [answer("c9", { result: 1 }), "tool_call_not_found"],
      [answer("c1", { approved: true }), "invalid_request"],
      [answer("c2", { result: 1 }), "invalid_request"],
      [answer("c1", { result: 1 }, "run-1:other:9"), "tool_call_not_found"],
    ] as const;
    for (const [command, code] of refused) expect(refusal(shell, command).code).toBe(code);
    expect(shell.seq).toBe(seq);
    accepted(shell, answer("c1", { result: 1 }));
    expect(refusal(shell, answer("c1", { result: 1 })).code).toBe("tool_call_not_found");
    accepted(shell, { type: "cancel_run" });
    expect(refusal(shell, answer("c2", { approved: true })).code).toBe("invalid_transition");
  });

  it("[W-10.7] in several branches of a map is told apart by its stage", () => {
    const { shell } = runOfNode({ ...agent(), kind: "map", map_policy: { items: [1, 2] } });
    for (const plan of takeAll(shell)) complete(shell, plan, parked(waits("c1")));
    const asked = shell.execute(answer("c1", { result: 1 }));
    expect(asked).toMatchObject({
      ok: false,
      rejection: { code: "invalid_request", details: { stage_ids: ["run-1:m_map_1:1", "run-1:m_map_2:1"] } },
    });
    accepted(shell, answer("c1", { result: 1 }, "run-1:m_map_2:1"));
    expect(advance(shell).next).toMatchObject({ node_id: "m_map_2", attempt: 2 });
  });

  it("[architecture 7] is answered while the run is paused, and goes on when it is resumed", () => {
    const { shell, plan } = started();
    complete(shell, plan, parked(waits("c1")));
    accepted(shell, { type: "pause_run" });
    accepted(shell, answer("c1", { result: 1 }));
    expect(advance(shell)).toMatchObject({ next: null, status: "paused" });
    accepted(shell, { type: "resume_run" });
    expect(advance(shell).next?.attempt).toBe(2);
  });

  it.each([
    [{}, "result.pending: a stage that waits names the calls it waits for"],
    [{ pending: [] }, "result.pending: a stage that waits names the calls it waits for"],
    [{ pending: "c1" }, "result.pending: a stage that waits names the calls it waits for"],
    [{ pending: [waits("c1"), { call_id: "c2" }] }, "result.pending[1]: expected call_id, tool_name, arguments"],
    [{ pending: [{ ...waits("c1"), reason: "else" }] }, "result.pending[0]: expected call_id"],
  ] as const)("[I7] must say what it waits for: %j is refused", (result, detail) => {
    const { shell, plan } = started();
    const seq = shell.seq;
    const given = { __workflow_stage_parked: true, ...result } as JsonObject;
    const refused = refusal(shell, {
      type: "advance",
      live_attempts: [],
      complete: { attempt_token: plan.attempt_token, result: given },
    });
    expect(refused.code).toBe("invalid_request");
    expect(refused.detail).toContain(detail);
    expect(shell.seq).toBe(seq);
  });

  it("[W-4.5] of a run that is walked by hand is taken again by a caller once it is answered", () => {
    const { shell, plan } = started(agent(), { drive: "manual" });
    accepted(shell, {
      type: "complete_stage",
      node_id: "m",
      attempt_token: plan.attempt_token,
      result: parked(waits("c1")),
    });
    const prepare = { type: "prepare_stage", node_id: "m", live_attempts: [] } as const;
    expect(refusal(shell, prepare).code).toBe("stage_already_prepared");
    accepted(shell, answer("c1", { result: "yes" }));
    const again = accepted(shell, prepare);
    expect(again).toMatchObject({ type: "plan", plan: { attempt: 2, progress: { tool_calls: [{ call_id: "c1" }] } } });
  });

  it("[W-5] takes its place beside others, and keeps its turn in the record", () => {
    const { shell } = runOf(
      {
        entry: "f",
        nodes: { f: { kind: "fork" }, a: agent(), b: agent(), c: agent() },
        edges: [
          { from: "f", to: "a" },
          { from: "f", to: "b" },
          { from: "f", to: "c" },
        ],
      },
      { options: { max_parallel: 2 } },
    );
    const [a, b] = takeAll(shell) as [StagePlan, StagePlan];
    expect(complete(shell, a, parked(waits("c1")))).toMatchObject({ next: null, waiting: "other_driver" });
    expect(complete(shell, b)).toMatchObject({ next: null, waiting: "tool_call" });
    accepted(shell, answer("c1", { result: 1 }));
    const c = planIn(complete(shell, planIn(advance(shell))));
    expect(c.node_id).toBe("c");
    complete(shell, c);
    expect(recordOf(shell).stages.map(({ node_id }) => node_id)).toEqual(["f", "a", "b", "c"]);
  });
});
