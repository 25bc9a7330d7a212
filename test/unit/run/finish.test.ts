import { describe, expect, it } from "vitest";
import { nextWake } from "../../../src/engine/run/wake.ts";
import { runUnsettled } from "../../../src/engine/run/unsettled.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { decodeRunOptions } from "../../../src/schema/run.ts";
import { accepted, driveAll, refusal, type RunFixture, type RunShell } from "../../support/run-fixture.ts";
import { advance, fn, planIn, recordOf, runOfNode } from "../../support/run-steps.ts";

const MINUTE = 60_000;

const finishing = (options: JsonObject = { on_finish: "drain" }, more: object = {}): RunFixture =>
  runOfNode(fn(), { options, ...more });

const tokenOf = (shell: RunShell): string => {
  const { finishing: now } = shell.state?.lifecycle ?? {};
  if (now == null) throw new Error("nothing is to be done");
  return now.attempt_token;
};

const orders = ({ store }: RunFixture): number =>
  store.query("SELECT effect FROM outbox").filter((row) => String(row["effect"]).includes('"type":"finish"')).length;

const begin = (shell: RunShell): string => {
  const attempt_token = tokenOf(shell);
  accepted(shell, { type: "begin_finish", attempt_token });
  return attempt_token;
};

const end = (shell: RunShell, attempt_token: string, outcome: { return_value: Json } | { error: string }): void => {
  accepted(shell, { type: "end_finish", attempt_token, outcome });
};

const auditKinds = (shell: RunShell): readonly string[] =>
  shell.entries().flatMap(({ events }) => events.flatMap((event) => ("entry" in event ? [event.entry.kind] : [])));

const optionOf = (on_finish: Json) => {
  const decoded = decodeRunOptions({ on_finish });
  return decoded.ok ? decoded.value.on_finish : decoded.error.message;
};

describe("what is done at the end of a run", () => {
  it("[L-21.2] with the queue empty it is ordered once, and the run ends when it is done", () => {
    const fixture = finishing({ on_finish: { handler: "drain", input: { a: 1 } } });
    const { shell } = fixture;
    driveAll(shell);
    expect(advance(shell)).toEqual({ next: null, status: "running", waiting: "finish" });
    expect(orders(fixture)).toBe(1);
    expect(shell.state?.lifecycle).toMatchObject({
      on_finish: null,
      finishing: { on_finish: { handler: "drain", input: { a: 1 } }, attempt: 1, begun: false },
    });
    const reply = accepted(shell, { type: "begin_finish", attempt_token: tokenOf(shell) });
    expect(reply).toMatchObject({ type: "finishing", finishing: { begun: true } });
    end(shell, tokenOf(shell), { return_value: { answer: 42 } });
    expect(shell.state?.status).toBe("completed");
    expect(recordOf(shell).metadata["return_value"]).toEqual({ answer: 42 });
    expect(recordOf(shell).checkpoints.at(-1)?.reason).toBe("finalize");
    expect(auditKinds(shell)).toEqual(["on_finish_completed"]);
    expect(fixture.reload().state).toEqual(shell.state);
  });

  it("[L-21.1] without it a run ends at once, and so does a replay", () => {
    const plain = finishing({});
    driveAll(plain.shell);
    expect(plain.shell.state?.status).toBe("completed");
    expect(recordOf(plain.shell).metadata).not.toHaveProperty("return_value");
    const again = finishing({
      on_finish: "drain",
      replay_mode: "deterministic",
      replay_run: recordOf(plain.shell) as unknown as Json,
    });
    driveAll(again.shell);
    expect(again.shell.state?.status).toBe("completed");
    expect(orders(again)).toBe(0);
  });

  it("[L-21.2] an attempt is begun by one only, and ended by whoever began it", () => {
    const { shell } = finishing();
    driveAll(shell);
    const token = tokenOf(shell);
    const done = { type: "end_finish", attempt_token: token, outcome: { return_value: 1 } } as const;
    expect(refusal(shell, done).code).toBe("stale_attempt");
    begin(shell);
    expect(refusal(shell, { type: "begin_finish", attempt_token: token }).code).toBe("stale_attempt");
    expect(refusal(shell, { ...done, attempt_token: "attempt_x" }).code).toBe("stale_attempt");
    accepted(shell, done);
    expect(refusal(shell, done).code).toBe("stale_attempt");
  });

  it("[L-21.2] an error in it is the error of the run", () => {
    const { shell } = finishing();
    driveAll(shell);
    end(shell, begin(shell), { error: "no" });
    expect(shell.state).toMatchObject({ status: "failed", error: "on_finish drain failed: no" });
    expect(shell.state?.lifecycle).toMatchObject({ on_finish: null, finishing: null });
    expect(auditKinds(shell)).toEqual(["on_finish_errored"]);
  });

  it("[L-21.1] on the way of an error, or cancelled, it is not done", () => {
    const late = finishing({ on_finish: "drain", deadline: 1_000 });
    late.clock.now += 2_000;
    expect(advance(late.shell).status).toBe("failed");
    expect(late.shell.state?.lifecycle.on_finish).toBeNull();
    const cancelled = finishing();
    driveAll(cancelled.shell);
    const token = begin(cancelled.shell);
    accepted(cancelled.shell, { type: "cancel_run" });
    const done = { type: "end_finish", attempt_token: token, outcome: { return_value: 1 } } as const;
    expect(refusal(cancelled.shell, done).code).toBe("stale_attempt");
    expect(cancelled.shell.state).toMatchObject({ status: "cancelled", lifecycle: { finishing: null } });
  });

  it("[L-21.2] a run that is paused meanwhile ends when it goes on", () => {
    const { shell } = finishing();
    driveAll(shell);
    const token = begin(shell);
    accepted(shell, { type: "pause_run" });
    end(shell, token, { return_value: 1 });
    expect(shell.state?.status).toBe("paused");
    accepted(shell, { type: "resume_run" });
    expect(advance(shell).status).toBe("completed");
  });

  it("[L-31] what nobody begins is ordered again, what is lost three times fails the run", () => {
    const fixture = finishing();
    const { shell, clock } = fixture;
    driveAll(shell);
    const wake = (): void => void accepted(shell, { type: "wake", live_attempts: [] });
    const first = tokenOf(shell);
    expect(nextWake(shell.state, () => 0, clock.now)).toBe(clock.now + MINUTE);
    wake();
    expect(tokenOf(shell)).toBe(first);
    clock.now += MINUTE;
    wake();
    expect(tokenOf(shell)).not.toBe(first);
    expect(shell.state?.lifecycle.finishing?.attempt).toBe(1);
    for (const attempt of [1, 2, 3]) {
      expect(shell.state?.lifecycle.finishing?.attempt).toBe(attempt);
      begin(shell);
      expect(nextWake(shell.state, () => 0, clock.now)).toBe(clock.now + 15 * MINUTE);
      clock.now += 15 * MINUTE;
      wake();
    }
    expect(orders(fixture)).toBe(4);
    expect(shell.state).toMatchObject({
      status: "failed",
      error: "Error [timeout]: on_finish drain gave no answer in 3 attempts",
    });
  });

  it("[L-21.2] a run that is driven by hand does it when it is finalized", () => {
    const fixture = finishing({ on_finish: "drain" }, { drive: "manual" });
    const { shell } = fixture;
    const prepared = accepted(shell, { type: "prepare_stage", node_id: "m", live_attempts: [] });
    if (prepared.type !== "plan") throw new Error("no plan");
    const { attempt_token } = prepared.plan;
    const result = { status: "completed", text: "", visible_text: "" };
    const completed = accepted(shell, { type: "complete_stage", node_id: "m", attempt_token, result });
    if (completed.type !== "completed") throw new Error("not completed");
    accepted(shell, { type: "record_transitions", stage: completed.stage, edges: [] });
    for (let n = 0; n < 2; n++) accepted(shell, { type: "finalize_run" });
    expect(shell.state?.status).toBe("running");
    expect(orders(fixture)).toBe(1);
    end(shell, begin(shell), { return_value: null });
    expect(shell.state?.status).toBe("completed");
  });

  it("[L-21.1] until the run comes to its end another handler may be named, and the last one counts", () => {
    const { shell } = finishing();
    for (const handler of ["abandon", "handoff_to"])
      accepted(shell, { type: "set_on_finish", on_finish: { handler, input: null } });
    driveAll(shell);
    expect(shell.state?.lifecycle.finishing?.on_finish.handler).toBe("handoff_to");
    const late = { type: "set_on_finish", on_finish: { handler: "drain", input: null } } as const;
    const refused = {
      code: "invalid_transition",
      detail: "run run-1 has come to its end: what is done there is settled",
    };
    expect(refusal(shell, late)).toEqual(refused);
    end(shell, begin(shell), { return_value: null });
    expect(refusal(shell, late)).toEqual(refused);
  });

  it("[L-21.1] the option is the name of a handler, or that with an input", () => {
    expect(optionOf("drain")).toEqual({ handler: "drain", input: null });
    expect(optionOf({ handler: "handoff_to", input: { target: "t" } })).toEqual({
      handler: "handoff_to",
      input: { target: "t" },
    });
    expect(optionOf(null)).toBeUndefined();
    for (const bad of ["", {}, 1, { handler: "" }, [], "x".repeat(201)])
      expect(optionOf(bad)).toMatch(/^workflow_execute: on_finish must be the name of a handler/);
  });
});

const unsettled = (fixture: RunFixture, isLive = true) =>
  runUnsettled(fixture.shell.state as Run, ["worker_1"], {
    lease: () => (isLive ? fixture.clock.now + 1 : fixture.clock.now),
    now: fixture.clock.now,
  });

describe("what a run knows to be unsettled", () => {
  it("[L-21.4] a call of a model is in flight while its attempt is held, and stale when its lease is over", () => {
    const node = { kind: "stage", mode: "llm", model_policy: { model: "m-1" } };
    const fixture = runOfNode(node, { task: "do it" });
    const plan = planIn(advance(fixture.shell));
    fixture.clock.now += 500;
    const [call, ...others] = unsettled(fixture).in_flight_llm_calls;
    expect(others).toEqual([]);
    expect(call).toEqual({
      call_id: `llm_call_${plan.stage_id}#1`,
      model: "m-1",
      role: "user",
      started_at_ms: 1_000_000,
      age_ms: 500,
      stage_id: plan.stage_id,
      node_id: "m",
      stale: false,
    });
    expect(JSON.stringify(call)).not.toContain(plan.attempt_token);
    expect(unsettled(fixture, false).in_flight_llm_calls).toMatchObject([{ stale: true }]);
    accepted(fixture.shell, { type: "cancel_run" });
    expect(unsettled(fixture).in_flight_llm_calls).toMatchObject([{ stale: false }]);
    expect(unsettled(fixture, false).in_flight_llm_calls).toEqual([]);
  });

  it("[L-21.4] a stage that calls no model is no call in flight, a command's job waits in its queue", () => {
    const called = runOfNode(fn());
    advance(called.shell);
    expect(unsettled(called)).toMatchObject({ in_flight_llm_calls: [], jobs: [], worker_ids: ["worker_1"] });
    const node = { kind: "verify", verify: { command: "npm test" } };
    const queued = runOfNode(node, { options: { command_queue: "q" } });
    advance(queued.shell);
    expect(unsettled(queued).jobs).toEqual([{ queue: "q", job_id: "run-1:m:1" }]);
  });

  it("[L-21.7] handoffs and the disposition are kept over a restart", () => {
    const fixture = runOfNode(fn());
    accepted(fixture.shell, { type: "hand_off", target: "t", payload: [1] });
    accepted(fixture.shell, { type: "set_disposition", disposition: "later" });
    expect(unsettled({ ...fixture, shell: fixture.reload() })).toMatchObject({
      disposition: "later",
      partial_handoffs: [{ envelope_id: "envelope_1", from: "run-1", to: "t", payload_summary: "list(len=1)" }],
    });
  });
});
