import { describe, expect, it } from "vitest";
import { orderedCycle } from "../../../src/engine/worker/cycle-run.ts";
import { nextWorkerWake } from "../../../src/engine/worker/resume.ts";
import type { WorkerCommand } from "../../../src/engine/worker/command.ts";
import type { ResumeConditions } from "../../../src/engine/worker/state.ts";
import { transcriptOf, WORKER_ID, WorkerFixture, went } from "../../support/worker-fixture.ts";

const conditions: ResumeConditions = {
  trigger: { kind: "webhook" },
  timeout: { duration_minutes: 1, on_timeout: "resume_with_input" },
};

/** Tells a worker that what was ordered to wake it is there. */
const listening = (box: WorkerFixture): WorkerFixture => {
  const trigger_id = box.worker.suspension?.auto_resume_trigger?.id ?? "none";
  box.tell({ type: "listening", trigger_id, problem: null });
  return box;
};

const timed = (on_timeout: "fail" | "resume_with_summary" | "resume_with_input") =>
  listening(WorkerFixture.parked({ conditions: { ...conditions, timeout: { duration_minutes: 1, on_timeout } } }));

describe("a suspension", () => {
  it("[L-17.2] holds at once, orders the run to pause, and is at rest when the run is", () => {
    const box = WorkerFixture.running();
    const { summary } = box.suspend({ reason: "needs input", initiator: "parent" });
    expect(summary).toMatchObject({ status: "suspended", suspension: { reason: "needs input", initiator: "parent" } });
    expect(box.worker.suspension).toMatchObject({ quiesced_at: null, suspended_at_turn: null, conditions: null });
    expect(box.takeEffects()).toEqual([{ type: "pause_run", cycle: 1, run_id: "run_1" }, { type: "index_worker" }]);
    box.rest();
    expect(box.worker).toMatchObject({
      run: { run_id: "run_1", paused: true },
      suspension: { suspended_at_turn: 3 },
      transcript: { messages: [{}, { content: "so far" }] },
    });
    expect(box.worker.suspension?.quiesced_at).not.toBe(null);
    expect(box.shown).toEqual(["WorkerSpawned", "WorkerSuspended"]);
  });

  it("[L-17.2] of a suspended worker changes nothing", () => {
    const box = WorkerFixture.parked({ reason: "first" });
    const before = box.state;
    box.suspend({ reason: "second" });
    expect(box.state).toBe(before);
    expect(box.takeEffects()).toEqual([]);
  });

  it("[L-17.2] of a worker that does not run is refused", () => {
    const box = WorkerFixture.running({ carry_policy: { retriggerable: true } });
    box.end(went("a"));
    expect(box.refusal({ type: "suspend", reason: "", initiator: "self", conditions: null })).toEqual({
      code: "invalid_transition",
      detail: `HARN-SUS-001: suspend_agent: worker ${WORKER_ID} is not running (status=awaiting)`,
    });
  });

  it("[L-9.3] before the run is known pauses it as soon as it is", () => {
    const box = WorkerFixture.spawned();
    box.suspend();
    expect(box.takeEffects().map(({ type }) => type)).toEqual(["start_cycle", "index_worker", "index_worker"]);
    box.begin("run_1");
    expect(box.takeEffects()).toEqual([{ type: "pause_run", cycle: 1, run_id: "run_1" }]);
    expect(box.shown).toEqual(["WorkerSuspended"]);
  });

  it("[L-18.2] registers its conditions in the same commit", () => {
    const box = WorkerFixture.running({ worker_id: "worker:é 1" });
    box.suspend({ conditions });
    const id = box.worker.suspension?.auto_resume_trigger?.id;
    expect(id).toMatch(/^auto_resume_worker___1_\d+$/);
    expect(box.takeEffects()).toContainEqual({ type: "listen", trigger_id: id, conditions });
    expect(box.worker.resume_at_ms).toBe(box.now + 60_000);
  });

  it("[L-30.5] listens for an event alone, and waits for a time alone", () => {
    const event = WorkerFixture.running();
    event.suspend({ conditions: { on_event: "go" } });
    expect(event.takeEffects()).toContainEqual(expect.objectContaining({ type: "listen" }));
    expect(event.worker.resume_at_ms).toBe(null);
    const time = WorkerFixture.running();
    time.suspend({ conditions: { timeout: { duration_minutes: 1, on_timeout: "fail" } } });
    expect(time.takeEffects()).not.toContainEqual(expect.objectContaining({ type: "listen" }));
    expect(time.worker.resume_at_ms).toBe(time.now + 60_000);
  });

  it("[L-9.9] keeps what the run came to, and the worker stays suspended", () => {
    const box = WorkerFixture.running();
    box.suspend();
    box.end(went("a"));
    expect(box.worker).toMatchObject({
      status: "suspended",
      latest_payload: { text: "a" },
      run: { paused: false, ended: "completed" },
      child_run_id: "run_of_a",
      finished_at: null,
    });
    expect(box.worker.suspension?.quiesced_at).not.toBe(null);
    expect(box.shown).toEqual(["WorkerSpawned", "WorkerSuspended"]);
    const before = box.state;
    box.end(went("b"));
    box.rest();
    expect(box.state).toEqual(before);
  });

  it("[L-9.9] of a run that could not even begin is at rest with its failure", () => {
    const box = WorkerFixture.spawned();
    box.suspend();
    box.end({ ok: false, cancelled: false, error: "boom" });
    expect(box.worker).toMatchObject({ status: "suspended", latest_error: "boom", run: { ended: "failed" } });
  });
});

describe("a worker that parks itself", () => {
  const timeout = { duration_minutes: 5, on_timeout: "resume_with_input" } as const;
  const rest = (cycle: number, run_id = "run_1"): WorkerCommand => ({
    type: "cycle_paused",
    cycle,
    turn: 2,
    transcript: transcriptOf("hello", "I wait"),
    asked: { run_id, reason: "needs a key", conditions: { timeout } },
  });

  it("[L-17.7] is suspended by itself and at rest at once, with what wakes it", () => {
    const box = WorkerFixture.running();
    const { summary } = box.tell(rest(1));
    expect(summary).toMatchObject({ status: "suspended", suspension: { reason: "needs a key", initiator: "self" } });
    expect(box.worker).toMatchObject({
      run: { run_id: "run_1", paused: true },
      suspension: { suspended_at_turn: 2, conditions: { timeout }, quiesced_at: expect.any(String) },
      transcript: { messages: [{}, { content: "I wait" }] },
      resume_at_ms: box.now + 300_000,
    });
    expect(box.takeEffects()).toEqual([{ type: "index_worker" }]);
    expect(box.shown).toEqual(["WorkerSpawned", "WorkerSuspended"]);
  });

  it("[L-32.2] parks once, and not again when it was resumed", () => {
    const box = WorkerFixture.running();
    box.tell(rest(1));
    const parked = box.state;
    box.tell(rest(1));
    expect(box.state).toBe(parked);
    box.resume({ input: "k" });
    box.tell(rest(1));
    expect(box.worker).toMatchObject({ status: "running", cycle: 2, task: "k" });
    expect(box.takeEffects()).toContainEqual(
      expect.objectContaining({ type: "resume_run", cycle: 2, run_id: "run_1" }),
    );
  });

  it("[L-17.7] parks in a run that it has not heard of yet", () => {
    const box = WorkerFixture.spawned();
    box.tell(rest(1, "run_9"));
    expect(box.worker).toMatchObject({ status: "suspended", run: { run_id: "run_9", paused: true } });
    expect(box.shown).toEqual(["WorkerSpawned", "WorkerSuspended"]);
    const parked = box.state;
    box.begin("run_9", 1);
    expect(box.state).toBe(parked);
  });

  it("[L-17.2] keeps the suspension it has", () => {
    const box = WorkerFixture.running();
    box.suspend({ reason: "lunch" });
    box.tell(rest(1));
    expect(box.worker).toMatchObject({
      suspension: { reason: "lunch", initiator: "operator", conditions: null },
      run: { paused: true },
      resume_at_ms: null,
    });
  });

  it("[L-32.4] is at rest too where it was suspended before it heard of the run", () => {
    const box = WorkerFixture.spawned();
    box.suspend({ reason: "lunch" });
    box.tell(rest(1, "run_9"));
    expect(box.worker).toMatchObject({
      run: { run_id: "run_9", paused: true },
      suspension: { reason: "lunch", quiesced_at: expect.any(String) },
    });
    const parked = box.state;
    box.begin("run_9", 1);
    expect(box.state).toBe(parked);
    box.resume();
    expect(box.takeEffects()).toContainEqual(expect.objectContaining({ type: "resume_run", run_id: "run_9" }));
  });

  it("[L-32.3] stays closed when it was closed meanwhile", () => {
    const box = WorkerFixture.running();
    box.tell({ type: "close" });
    box.tell(rest(1));
    expect(box.worker.status).toBe("cancelled");
  });
});

describe("the broadcast", () => {
  it("[L-17.3] suspends what runs and registers nothing", () => {
    const box = WorkerFixture.running();
    expect(box.suspend({ panic: true, conditions })).toMatchObject({ panic: "suspended" });
    expect(box.worker.suspension).toMatchObject({
      initiator: "triggered",
      conditions: null,
      auto_resume_trigger: null,
    });
    expect(box.worker.resume_at_ms).toBe(null);
    expect(box.suspend({ panic: true, reason: "again" })).toMatchObject({ panic: "already_suspended" });
    expect(box.worker.suspension?.reason).toBe("why");
  });

  it("[L-17.3] leaves what does not run as it is", () => {
    const box = WorkerFixture.running();
    box.end(went("a"));
    expect(box.suspend({ panic: true })).toMatchObject({ panic: "not_running" });
    expect(box.worker.status).toBe("completed");
  });
});

describe("the end of a suspension's time", () => {
  it("[L-18.3] that is a failure fails the worker, ends its run and gives up its trigger", () => {
    const box = timed("fail");
    box.now += 60_000;
    box.tell({ type: "wake" });
    expect(box.worker).toMatchObject({
      status: "failed",
      latest_error: "auto-resume timeout expired",
      suspension: null,
      resume_at_ms: null,
    });
    expect(box.takeEffects().map(({ type }) => type)).toEqual(["unlisten", "cancel_run", "index_worker"]);
    expect(box.shown.at(-1)).toBe("WorkerFailed");
  });

  it("[L-18.3] that is no failure resumes with a digest, as the timeout", () => {
    const box = timed("resume_with_summary");
    box.now += 60_000;
    box.tell({ type: "wake" });
    expect(box.worker).toMatchObject({ status: "running", task: "first" });
    expect(box.events.at(-1)).toMatchObject({ initiator: "timeout", continue_transcript: false, input: null });
    expect(box.takeEffects()).toContainEqual(
      expect.objectContaining({ type: "resume_run", digest: expect.stringContaining("so far") }),
    );
  });

  it("[L-18.3] resumes with itself as input where it is asked to", () => {
    const box = timed("resume_with_input");
    const trigger_id = box.worker.suspension?.auto_resume_trigger?.id;
    box.now += 60_000;
    box.tell({ type: "wake" });
    expect(JSON.parse(box.worker.task)).toEqual({
      type: "auto_resume.timeout",
      worker_id: WORKER_ID,
      trigger_id,
      on_timeout: "resume_with_input",
    });
    expect(box.events.at(-1)).toMatchObject({
      initiator: "triggered",
      continue_transcript: true,
      trigger_event: { kind: "auto_resume.timeout", provider: "harn" },
    });
    const speech = JSON.stringify(box.takeEffects());
    expect(speech).toContain(`"timeout_action":"resume_with_input"`);
    expect(speech).toContain(`auto_resume_timeout:${trigger_id}:`);
  });

  it("[L-32.9] acts on the stored deadline only, and only while the worker is suspended", () => {
    const box = timed("fail");
    const trigger_id = box.worker.suspension?.auto_resume_trigger?.id ?? "none";
    box.now += 59_999;
    box.tell({ type: "wake" });
    expect(box.worker.status).toBe("suspended");
    box.resume();
    box.now += 1;
    box.tell({ type: "wake" });
    expect(box.worker.status).toBe("running");
    box.tell({ type: "unlistened", trigger_id });
    expect(nextWorkerWake(box.state, box.now)).toBe(null);
  });

  it("[L-32.4] waits for the run to come to rest, unless it is a failure", () => {
    const box = WorkerFixture.running();
    box.suspend({ conditions });
    listening(box);
    expect(nextWorkerWake(box.state, box.now)).toBe(null);
    box.now += 60_001;
    box.tell({ type: "wake" });
    expect(box.worker.status).toBe("suspended");
    box.rest();
    expect(nextWorkerWake(box.state, box.now)).toBe(box.now);
    box.tell({ type: "wake" });
    expect(box.worker.status).toBe("running");
    const failing = WorkerFixture.running();
    failing.suspend({ conditions: { timeout: { duration_minutes: 1, on_timeout: "fail" } } });
    expect(nextWorkerWake(failing.state, failing.now)).toBe(failing.now + 60_000);
  });
});

describe("a worker that is suspended before its run has begun", () => {
  it("[L-32.4] comes to rest when that run, which nothing of begins, is paused", () => {
    const box = WorkerFixture.spawned();
    expect(orderedCycle(box.state)).toMatchObject({ cycle: 1, held: false });
    box.suspend();
    expect(box.worker.suspension).toMatchObject({ quiesced_at: null });
    expect(orderedCycle(box.state)).toMatchObject({ cycle: 1, held: true });
    box.takeEffects();
    box.begin("run_1");
    expect(box.takeEffects()).toContainEqual({ type: "pause_run", cycle: 1, run_id: "run_1" });
    box.rest();
    expect(orderedCycle(box.state)).toBe(null);
    box.resume();
    expect(box.worker).toMatchObject({ status: "running", cycle: 2, run: { run_id: "run_1", paused: false } });
  });

  it("[L-32.4] has it ordered again until it is known", () => {
    const box = WorkerFixture.spawned();
    box.suspend();
    box.takeEffects();
    expect(nextWorkerWake(box.worker, box.now)).toBe(box.now + 5_000);
    box.tell({ type: "wake" });
    expect(box.takeEffects()).toEqual([{ type: "start_cycle", cycle: 1 }]);
    box.begin("run_1");
    box.rest();
    box.takeEffects();
    box.tell({ type: "wake" });
    expect(nextWorkerWake(box.worker, box.now)).toBe(null);
    expect(box.takeEffects()).toEqual([]);
  });

  it("[L-18.3] fails at its time all the same, if that is what it says", () => {
    const box = WorkerFixture.spawned();
    box.suspend({ conditions: { timeout: { duration_minutes: 1, on_timeout: "fail" } } });
    expect(nextWorkerWake(box.worker, box.now + 58_000)).toBe(box.now + 60_000);
    box.now += 60_000;
    box.tell({ type: "wake" });
    expect(box.worker.status).toBe("failed");
  });
});

describe("nothing to wake", () => {
  it("[L-32.9] is a worker that is not there, runs, or is parked without a time", () => {
    expect(nextWorkerWake(null, 0)).toBe(null);
    expect(nextWorkerWake(WorkerFixture.running({}).state, 0)).toBe(null);
    expect(nextWorkerWake(WorkerFixture.parked().state, 0)).toBe(null);
  });
});
