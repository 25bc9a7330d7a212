import { describe, expect, it } from "vitest";
import type { Message } from "../../../src/engine/mailbox/state.ts";
import { needsDriver, nextWake } from "../../../src/engine/run/wake.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import { rfc3339 } from "../../../src/lib/time.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { accepted, DONE, type RunFixture, type RunShell, step } from "../../support/run-fixture.ts";
import { advance, complete, fn, planIn, recordOf, runOf, stageOf, takeAll } from "../../support/run-steps.ts";

const START = 1_000_000;

const waitingStage = (node: JsonObject, more: Parameters<typeof runOf>[1] = {}): RunFixture =>
  runOf(
    {
      entry: "w",
      nodes: { w: { kind: "stage", ...node }, next: fn(), late: fn() },
      edges: [
        { from: "w", to: "next" },
        { from: "w", to: "late", branch: "timeout" },
        { from: "w", to: "late", branch: "error" },
      ],
    },
    more,
  );

const message = (seq: number, payload: Message["payload"] = "hello"): Message => ({
  seq,
  kind: "signal",
  name: "go",
  request_id: null,
  payload,
  enqueued_at: "2026-01-01T00:00:00.000Z",
});

const hear = (shell: RunShell, seq: number, payload?: Message["payload"]): boolean => {
  const stage_id = "run-1:w:1";
  const reply = accepted(shell, { type: "hear", stage_id, message: message(seq, payload) });
  return reply.type === "heard" && reply.accepted;
};

const effectsOf = ({ store }: RunFixture): readonly string[] =>
  store.query("SELECT effect FROM outbox").map((row) => (JSON.parse(String(row["effect"])) as { type: string }).type);

describe("a stage that sleeps", () => {
  it("[W-6] is nobody's to execute, wakes the run in time and leads on", () => {
    const { shell, clock } = waitingStage({ mode: "sleep", sleep: { ms: 60_000 } });
    expect(advance(shell)).toEqual({
      next: null,
      status: "running",
      waiting: "sleep",
      retry_at: rfc3339(START + 60_000),
    });
    expect(nextWake(shell.state, () => 0, clock.now)).toBe(START + 60_000);
    clock.now += 59_999;
    expect(needsDriver(shell.state as Run, [], clock.now)).toBe(false);
    expect(advance(shell)).toMatchObject({ next: null, waiting: "sleep" });
    clock.now += 1;
    expect(needsDriver(shell.state as Run, [], clock.now)).toBe(true);
    expect(advance(shell).next?.node_id).toBe("next");
    expect(stageOf(shell, "w")).toMatchObject({
      status: "completed",
      outcome: "slept",
      branch: "success",
      artifacts: [],
    });
  });

  it("[W-6] until a moment; one that is past is over at once", () => {
    const { shell } = waitingStage({ mode: "sleep", sleep: { until: rfc3339(START + 5_000) } });
    expect(advance(shell)).toMatchObject({ waiting: "sleep", retry_at: rfc3339(START + 5_000) });
    const past = waitingStage({ mode: "sleep", sleep: { until: "1970-01-01T00:00:01Z" } });
    expect(advance(past.shell).next?.node_id).toBe("next");
    expect(advance(waitingStage({ mode: "sleep", sleep: { ms: 0 } }).shell).next?.node_id).toBe("next");
  });

  it.each<[string, JsonObject]>([
    ["sleep", { mode: "sleep", sleep: { ms: Number.MAX_SAFE_INTEGER } }],
    ["sleep", { mode: "sleep", sleep: { until: "+275760-09-13T00:00:00Z" } }],
    ["message", { mode: "wait", wait: { message: "go", timeout_ms: Number.MAX_SAFE_INTEGER } }],
    ["external", { mode: "external", timeout_ms: Number.MAX_SAFE_INTEGER }],
  ])("[W-6] lasts at most until the last moment that can be written: %s", (waiting, node) => {
    const { shell } = waitingStage(node);
    expect(advance(shell)).toMatchObject({ next: null, waiting, retry_at: "9999-12-31T23:59:59.999Z" });
  });

  it("[architecture 7] does not wake a paused run; it is over when the run is resumed", () => {
    const { shell, clock } = waitingStage({ mode: "sleep", sleep: { ms: 1_000 } });
    advance(shell);
    accepted(shell, { type: "pause_run" });
    clock.now += 10_000;
    expect(nextWake(shell.state, () => 0, clock.now)).toBeNull();
    expect(advance(shell)).toMatchObject({ next: null, status: "paused" });
    accepted(shell, { type: "resume_run" });
    expect(advance(shell).next?.node_id).toBe("next");
  });

  it("[W-5] lets parallel stages go on, and enters the record when it is over", () => {
    const { shell, clock } = runOf(
      {
        entry: "f",
        nodes: { f: { kind: "fork" }, s: { kind: "stage", mode: "sleep", sleep: { ms: 1_000 } }, a: fn(), b: fn() },
        edges: [
          { from: "f", to: "s" },
          { from: "f", to: "a" },
          { from: "a", to: "b" },
        ],
      },
      { options: { max_parallel: 2 } },
    );
    const b = planIn(complete(shell, planIn(advance(shell))));
    expect(b.node_id).toBe("b");
    clock.now += 1_000;
    complete(shell, b);
    expect(shell.state?.status).toBe("completed");
    expect(recordOf(shell).stages.map(({ node_id }) => node_id)).toContain("s");
  });
});

describe("a stage that waits for a message", () => {
  it("[W-13] subscribes, and takes the message once", () => {
    const fixture = waitingStage({ mode: "wait", wait: { message: "go" } });
    const { shell } = fixture;
    expect(advance(shell)).toEqual({ next: null, status: "running", waiting: "message" });
    expect(effectsOf(fixture)).toContain("subscribe");
    expect(nextWake(shell.state, () => 0, 0)).toBeNull();
    expect(hear(shell, 7)).toBe(true);
    const seq = shell.seq;
    expect(hear(shell, 7)).toBe(true);
    expect(hear(shell, 8)).toBe(false);
    expect(shell.seq).toBe(seq);
    expect(advance(shell).next).toMatchObject({
      node_id: "next",
      function: { input: { text: "hello", data: "hello" } },
    });
    expect([hear(shell, 7), hear(shell, 8)]).toEqual([true, false]);
  });

  it.each([
    ["hello", "hello"],
    [{ text: "inner", n: 1 }, "inner"],
    [{ n: 1 }, '{"n":1}'],
    [[1, 2], "[1,2]"],
    [null, ""],
  ])("[W-13] hears %j as the text %j, with the payload as its data", (payload, text) => {
    const { shell } = waitingStage({ mode: "wait", wait: { message: "go" } });
    advance(shell);
    hear(shell, 1, payload);
    expect(stageOf(shell, "w")).toMatchObject({ branch: "success", visible_text: text });
    expect(stageOf(shell, "w").artifacts[0]).toMatchObject({
      text,
      data: { data: payload, message: { seq: 1, name: "go" } },
    });
  });

  it("[W-6] times out on a branch of its own, and says no to messages afterwards", () => {
    const fixture = waitingStage({ mode: "wait", wait: { message: "go", timeout_ms: 500 } });
    const { shell, clock } = fixture;
    expect(advance(shell)).toMatchObject({ waiting: "message", retry_at: rfc3339(START + 500) });
    clock.now += 500;
    expect(advance(shell).next?.node_id).toBe("late");
    expect(stageOf(shell, "w")).toMatchObject({ status: "completed", outcome: "timeout", branch: "timeout" });
    expect(effectsOf(fixture)).toContain("unsubscribe");
    expect(hear(shell, 1)).toBe(false);
  });

  it("[W-6] without an edge for its timeout goes on by its default edge", () => {
    const { shell, clock } = runOf({
      entry: "w",
      nodes: { w: { kind: "stage", mode: "wait", wait: { message: "go", timeout_ms: 1 } }, next: fn() },
      edges: [{ from: "w", to: "next" }],
    });
    advance(shell);
    clock.now += 1;
    expect(advance(shell).next?.node_id).toBe("next");
  });

  it("[W-13] hears while the run is paused, and goes on when it is resumed", () => {
    const { shell } = waitingStage({ mode: "wait", wait: { message: "go" } });
    advance(shell);
    accepted(shell, { type: "pause_run" });
    expect(hear(shell, 1)).toBe(true);
    expect(advance(shell)).toMatchObject({ next: null, status: "paused" });
    accepted(shell, { type: "resume_run" });
    expect(advance(shell).next?.node_id).toBe("next");
  });

  it("[I6] hears nothing once the run is cancelled", () => {
    const fixture = waitingStage({ mode: "wait", wait: { message: "go" } });
    advance(fixture.shell);
    accepted(fixture.shell, { type: "cancel_run" });
    expect(hear(fixture.shell, 1)).toBe(false);
    expect(effectsOf(fixture)).toContain("unsubscribe");
    expect(recordOf(fixture.shell).stages).toEqual([]);
  });

  it("[W-5] beside others keeps its turn: what can be opened is opened before it enters the record", () => {
    const { shell } = runOf(
      {
        entry: "f",
        nodes: { f: { kind: "fork" }, w: { kind: "stage", mode: "wait", wait: { message: "go" } }, a: fn(), b: fn() },
        edges: [
          { from: "f", to: "w" },
          { from: "f", to: "a" },
          { from: "w", to: "b" },
        ],
      },
      { options: { max_parallel: 2 } },
    );
    const a = planIn(advance(shell));
    accepted(shell, { type: "hear", stage_id: "run-1:w:2", message: message(1) });
    expect(recordOf(shell).stages.map(({ node_id }) => node_id)).toEqual(["f", "w"]);
    const [b] = takeAll(shell);
    expect(b?.node_id).toBe("b");
    complete(shell, a);
    expect(complete(shell, b as never).status).toBe("completed");
  });
});

describe("an external stage with a time limit", () => {
  it("[W-6.9] fails when nobody completes it in time, also when somebody has taken it", () => {
    for (const isTaken of [false, true]) {
      const { shell, clock } = waitingStage({ mode: "external", timeout_ms: 2_000 });
      expect(advance(shell)).toMatchObject({ waiting: "external", retry_at: rfc3339(START + 2_000) });
      if (isTaken) accepted(shell, { type: "prepare_stage", node_id: "w", live_attempts: [] });
      expect(nextWake(shell.state, () => START + 300_000, clock.now)).toBe(START + 2_000);
      clock.now += 2_000;
      expect(advance(shell).next?.node_id).toBe("late");
      expect(stageOf(shell, "w")).toMatchObject({
        status: "failed",
        branch: "error",
        metadata: { error: `Error [timeout]: nobody completed the stage until ${rfc3339(START + 2_000)}` },
      });
    }
  });

  it("[W-4.6] is completed in time like any other", () => {
    const { shell, clock } = waitingStage({ mode: "external", timeout_ms: 2_000 });
    advance(shell);
    clock.now += 1_999;
    accepted(shell, { type: "complete_stage", node_id: "w", attempt_token: null, result: DONE });
    clock.now += 10_000;
    expect(advance(shell).next?.node_id).toBe("next");
  });
});

const failed = (shell: RunShell, at: number): void => {
  expect(shell.state).toMatchObject({
    status: "failed",
    error: `Error [timeout]: the run did not end until its deadline ${rfc3339(at)}`,
  });
};

describe("a run with a deadline", () => {
  it.each([[5_000], [rfc3339(START + 5_000)]])("[W-4.4] given as %j fails at its next step after it", (deadline) => {
    const { shell, clock } = waitingStage({ mode: "external" }, { options: { deadline } });
    advance(shell);
    expect(nextWake(shell.state, () => 0, clock.now)).toBe(START + 5_000);
    clock.now += 4_999;
    expect(step(shell)).toMatchObject({ waiting: "external" });
    clock.now += 1;
    expect(step(shell)).toMatchObject({ next: null, status: "failed" });
    failed(shell, START + 5_000);
  });

  it("[I7] fails by its watchdog alone, whoever drives it", () => {
    for (const drive of ["auto", "manual"] as const) {
      const { shell, clock } = waitingStage({ mode: "external" }, { drive, options: { deadline: 5_000 } });
      clock.now += 4_999;
      accepted(shell, { type: "wake", live_attempts: [] });
      expect(shell.state?.status).toBe("running");
      clock.now += 1;
      expect(nextWake(shell.state, () => 0, clock.now)).toBe(clock.now);
      accepted(shell, { type: "wake", live_attempts: [] });
      failed(shell, START + 5_000);
    }
  });

  it("[architecture 7] is not judged while it is paused, and at once when it is resumed", () => {
    const { shell, clock } = waitingStage({ mode: "external" }, { options: { deadline: 5_000 } });
    accepted(shell, { type: "pause_run" });
    clock.now += 10_000;
    accepted(shell, { type: "wake", live_attempts: [] });
    expect(shell.state?.status).toBe("paused");
    accepted(shell, { type: "resume_run" });
    step(shell);
    failed(shell, START + 5_000);
  });
});
