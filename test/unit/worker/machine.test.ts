import { describe, expect, it } from "vitest";
import { unknownWorker, workerMachine } from "../../../src/engine/worker/machine.ts";
import { callAnswerOf, reportOf } from "../../../src/engine/worker/report.ts";
import type { CycleResult, WorkerCommand } from "../../../src/engine/worker/command.ts";
import { PARENT, spawnOf, transcriptOf, WORKER_ID, WorkerFixture, went } from "../../support/worker-fixture.ts";

const CONTEXT = { now: 0, nextId: (prefix: string) => `${prefix}_new` };

const failed = (cancelled: boolean) => ({ ok: false, cancelled, error: "boom" }) as const;

describe("a spawn", () => {
  it("[L-2] makes a running worker and orders its first cycle", () => {
    const box = new WorkerFixture();
    const { summary } = box.tell(spawnOf());
    expect(summary).toMatchObject({ id: WORKER_ID, status: "running", history: ["first"], result: null, error: null });
    expect(summary["audit"]).toMatchObject({ worker_id: WORKER_ID, execution_kind: "sub_agent" });
    expect(box.takeEffects()).toEqual([{ type: "start_cycle", cycle: 1 }, { type: "index_worker" }]);
    expect(box.shown).toEqual([]);
    expect(box.decided).toEqual(box.state);
  });

  it("[L-32.1] of the same request is the same worker, and of another one is refused", () => {
    const box = WorkerFixture.running();
    const before = box.state;
    expect(box.tell(spawnOf()).summary).toMatchObject({ id: WORKER_ID });
    expect(box.state).toBe(before);
    expect(box.takeEffects()).toEqual([]);
    expect(box.refusal(spawnOf({ task: "other" })).code).toBe("worker_already_exists");
  });

  it("[L-32.1] is compared by the digest it brings, where it brings one", () => {
    const box = WorkerFixture.spawned({ request_digest: "d" });
    box.tell(spawnOf({ request_digest: "d", task: "filled in otherwise" }));
    expect(box.worker.task).toBe("first");
    expect(box.refusal(spawnOf()).code).toBe("worker_already_exists");
  });

  it("[L-30.9] with conditions is born parked and begins when it is resumed", () => {
    const box = WorkerFixture.spawned({
      resume_when: { on_event: "go", timeout: { duration_minutes: 2, on_timeout: "fail" } },
    });
    expect(box.worker).toMatchObject({ status: "suspended", cycle: 0, run: null, resume_at_ms: box.now + 120_000 });
    expect(box.worker.suspension).toMatchObject({ quiesced_at: box.worker.created_at, initiator: "operator" });
    expect(box.takeEffects().map(({ type }) => type)).toEqual(["listen", "index_worker"]);
    box.resume();
    expect(box.worker).toMatchObject({ status: "running", cycle: 1, task: "first", history: ["first"] });
    expect(box.takeEffects().map(({ type }) => type)).toEqual(["unlisten", "start_cycle", "index_worker"]);
    box.begin("run_1");
    expect(box.shown).toEqual(["WorkerSuspended", "WorkerResumed", "WorkerSpawned"]);
  });

  it("[L-30.9] with conditions on behalf of a stage was suspended by its parent", () => {
    const box = WorkerFixture.spawned({ resume_when: {}, parent: PARENT });
    expect(box.worker.suspension).toMatchObject({ initiator: "parent", auto_resume_trigger: null });
  });
});

describe("a worker that is not there", () => {
  it("[L-1.6] refuses everything but a spawn and a restoration", () => {
    const box = new WorkerFixture();
    expect(box.refusal({ type: "close" })).toMatchObject({ code: "worker_not_found" });
    expect(unknownWorker("w").rejection).toEqual({ code: "worker_not_found", detail: "unknown worker: w" });
    expect(workerMachine.evolve(null, { type: "worker_closed", at: "" })).toBe(null);
  });
});

describe("a cycle", () => {
  it("[L-8.2] that goes well completes the worker with what it left", () => {
    const box = WorkerFixture.running();
    box.now += 5;
    box.end(went("a"));
    expect(box.worker).toMatchObject({
      status: "completed",
      latest_payload: { text: "a" },
      child_run_id: "run_of_a",
      child_run_path: "a.json",
      finished_at: "2026-04-19T12:00:00.005Z",
      audit: { run_id: "run_of_a" },
    });
    expect(box.worker.transcript).toMatchObject({ id: "tr_1" });
    expect(box.takeEffects()).toEqual([{ type: "index_worker" }]);
    expect(box.shown).toEqual(["WorkerSpawned", "WorkerCompleted"]);
  });

  it("[L-8.2] of a retriggerable worker leaves it awaiting", () => {
    const box = WorkerFixture.running({ carry_policy: { retriggerable: true } });
    box.end(went("a"));
    expect(box.worker).toMatchObject({ status: "awaiting", finished_at: null });
    expect(box.worker.awaiting_started_at).not.toBe(null);
    expect(box.shown.at(-1)).toBe("WorkerWaitingForInput");
  });

  it("[L-8.2] that fails or is cancelled leaves what was there before", () => {
    for (const cancelled of [false, true]) {
      const box = WorkerFixture.running();
      box.end(went("a"));
      box.tell({ type: "send_input", task: "again" });
      box.begin("run_2");
      box.end(failed(cancelled));
      expect(box.worker).toMatchObject({
        status: cancelled ? "cancelled" : "failed",
        latest_error: "boom",
        child_run_id: "run_of_a",
      });
      expect(box.worker.finished_at).not.toBe(null);
      expect(box.shown.at(-1)).toBe(cancelled ? "WorkerCancelled" : "WorkerFailed");
    }
  });

  it("[L-9.9] without a run of its own forgets the child run; an execution it names is kept", () => {
    const box = WorkerFixture.running();
    const execution = { cwd: "/w", env: {}, worktree: null };
    box.end({ ok: true, payload: {}, transcript: null, artifacts: [], execution });
    expect(box.worker).toMatchObject({ child_run_id: null, child_run_path: null, execution });
    expect(box.worker.audit.run_id).toBe(null);
  });

  it("[L-9.8] of a compacting worker leaves the summary and the last messages, in the payload too", () => {
    const box = WorkerFixture.running({ carry_policy: { transcript_mode: "compact" } });
    const transcript = transcriptOf("one", "two", "three", "four", "five", "six");
    box.end({ ok: true, payload: { transcript }, transcript, artifacts: [], execution: null });
    const kept = box.worker.transcript as { readonly messages: readonly unknown[] };
    expect(kept.messages.length).toBeLessThan(6);
    expect(box.worker.latest_payload).toEqual({ transcript: kept });
    expect(JSON.stringify(kept)).toContain("auto-compacted");
  });

  it("[L-9.8] of a compacting worker without a conversation leaves none", () => {
    const box = WorkerFixture.running({ carry_policy: { transcript_mode: "compact" } });
    box.end({ ok: true, payload: {}, transcript: null, artifacts: [], execution: null });
    expect(box.worker).toMatchObject({ transcript: null, latest_payload: {} });
  });

  it("[L-32.2] that is over changes nothing, and its run is ended when it shows up late", () => {
    const box = WorkerFixture.spawned();
    box.tell({ type: "close" });
    box.takeEffects();
    const before = box.state;
    box.begin("run_late");
    box.end(went("late"));
    expect(box.state).toEqual(before);
    expect(box.takeEffects()).toEqual([
      { type: "cancel_run", run_id: "run_late", reason: "the worker does not want it any more" },
    ]);
    expect(box.shown).toEqual(["WorkerCancelled"]);
  });

  it("[L-32.2] of before an input changes nothing", () => {
    const box = WorkerFixture.running();
    box.end(went("a"));
    box.tell({ type: "send_input", task: "again" });
    box.begin("run_2");
    box.takeEffects();
    const before = box.state;
    for (const command of [
      { type: "cycle_began", cycle: 1, run_id: "run_of_a" },
      { type: "cycle_began", cycle: 2, run_id: "run_2" },
      { type: "cycle_ended", cycle: 1, result: went("b") },
      { type: "cycle_paused", cycle: 1, turn: 1, transcript: null },
      { type: "cycle_paused", cycle: 2, turn: 1, transcript: null },
    ] satisfies readonly WorkerCommand[])
      box.tell(command);
    expect(box.state).toEqual(before);
    expect(box.takeEffects()).toEqual([]);
  });

  it("[L-8.2] whose beginning was not heard has begun all the same", () => {
    const box = WorkerFixture.spawned();
    box.end(went("a"));
    expect(box.shown).toEqual(["WorkerSpawned", "WorkerCompleted"]);
    const other = WorkerFixture.spawned();
    other.end(failed(false));
    expect(other.shown).toEqual(["WorkerSpawned", "WorkerFailed"]);
  });
});

describe("an input", () => {
  it("[L-8.3] sets a worker to work again and clears its payload, whatever it ended as", () => {
    const box = WorkerFixture.running();
    box.end(went("a"));
    for (const end of ["completed", "cancelled", "stopped"]) {
      if (end === "cancelled") box.tell({ type: "close" });
      if (end === "stopped") box.tell({ type: "stop", graceful: true, reason: "", children: [] });
      expect(box.worker.status).toBe(end);
      const { cycle } = box.worker;
      box.takeEffects();
      box.tell({ type: "send_input", task: end });
      expect(box.worker).toMatchObject({ status: "running", task: end, latest_payload: null, run: null });
      expect(box.worker.cycle).toBe(cycle + 1);
      expect(box.takeEffects()).toEqual([{ type: "start_cycle", cycle: cycle + 1 }, { type: "index_worker" }]);
    }
    expect(box.worker.history).toEqual(["first", "completed", "cancelled", "stopped"]);
    expect(box.worker.request.task).toBe("first");
  });

  it("[L-8.3] is refused while the worker runs or is suspended, and where it is empty", () => {
    const box = WorkerFixture.running();
    const refusal = (task: string) => box.refusal({ type: "send_input", task });
    expect(refusal("")).toEqual({ code: "invalid_request", detail: "send_input: task text must not be empty" });
    expect(refusal("x")).toEqual({
      code: "invalid_transition",
      detail: `send_input: worker ${WORKER_ID} is still running`,
    });
    box.suspend();
    expect(refusal("x").detail).toContain(`send_input: worker ${WORKER_ID} is suspended`);
  });

  it("[L-4] is refused where the conversation cannot be carried, and nothing has changed", () => {
    const box = WorkerFixture.running({ carry_policy: { transcript_mode: "odd" } });
    box.end(went("a"));
    const before = box.state;
    expect(box.refusal({ type: "send_input", task: "x" })).toEqual({
      code: "invalid_transition",
      detail: "worker transcript policy: unknown transcript_mode `odd`",
    });
    expect(box.state).toBe(before);
  });

  it("[L-16] to a worker that forks begins a session whose id is in the journal", () => {
    const box = WorkerFixture.running({ carry_policy: { transcript_mode: "fork" } });
    box.end(went("a"));
    box.tell({ type: "send_input", task: "again" });
    const { config, transcript } = box.worker;
    expect(config.mode === "sub_agent" && config.spec.session_id).toMatch(/^sub_agent_session_\d+$/);
    expect(transcript).toMatchObject({ metadata: { parent_transcript_id: "tr_1" } });
    expect(box.decided).toEqual(box.state);
    expect(JSON.stringify(box.events.at(-1)).length).toBeLessThan(200);
  });
});

describe("a trigger", () => {
  it("[L-8.3] sets an awaiting worker to work and keeps its payload", () => {
    const box = WorkerFixture.running({ carry_policy: { retriggerable: true } });
    box.end(went("a"));
    box.tell({ type: "trigger", payload: { b: 1 } });
    expect(box.worker).toMatchObject({ status: "running", task: '{"b":1}', latest_payload: { text: "a" } });
    box.begin("run_2");
    expect(box.shown).toEqual(["WorkerSpawned", "WorkerWaitingForInput", "WorkerProgressed", "WorkerSpawned"]);
    expect(box.refusal({ type: "trigger", payload: "x" }).detail).toBe(
      `worker_trigger: worker ${WORKER_ID} is still running`,
    );
    box.tell({ type: "close" });
    expect(box.refusal({ type: "trigger", payload: "x" }).detail).toBe(
      `worker_trigger: worker ${WORKER_ID} is not awaiting (status=cancelled)`,
    );
    expect(box.refusal({ type: "trigger", payload: "  " })).toEqual({
      code: "invalid_request",
      detail: "worker_trigger: payload must not be empty",
    });
  });

  it("[L-8.3] is refused by a worker that is not retriggerable before anything else of its state", () => {
    expect(WorkerFixture.running().refusal({ type: "trigger", payload: "x" }).detail).toBe(
      `worker_trigger: worker ${WORKER_ID} is not retriggerable`,
    );
  });
});

describe("the stage that waits", () => {
  it("[L-14] is told once, with the result and the worker's artifacts", () => {
    const box = WorkerFixture.running({ parent: PARENT });
    box.end(went("a"));
    expect(box.takeEffects().filter(({ type }) => type === "report")).toEqual([{ type: "report", to: PARENT }]);
    const report = reportOf(box.worker, PARENT, CONTEXT);
    expect(report).toMatchObject({ status: "completed", text: "a", worker: { id: WORKER_ID } });
    expect(JSON.stringify(report)).toContain("worker_result");
    box.tell({ type: "close" });
    box.tell({ type: "send_input", task: "again" });
    box.end(went("b"));
    expect(box.takeEffects().filter(({ type }) => type === "report")).toEqual([]);
  });

  it("[L-15.3] has its call answered with the envelope, or with why there is none", () => {
    const box = WorkerFixture.running({ parent: { ...PARENT, call_id: "c1" } });
    box.end({ ...went("a"), payload: { ok: true, summary: "found", transcript: { messages: [] } } } as CycleResult);
    expect(box.takeEffects().find(({ type }) => type === "report")).toMatchObject({ to: { call_id: "c1" } });
    expect(callAnswerOf(box.worker)).toEqual({
      result: { ok: true, summary: "found", worker: { id: WORKER_ID, name: "helper", status: "completed" } },
    });
    const closed = WorkerFixture.running({ parent: { ...PARENT, call_id: "c1" } });
    closed.tell({ type: "close" });
    expect(callAnswerOf(closed.worker)).toMatchObject({
      is_error: true,
      result: {
        ok: false,
        error: { category: "cancelled", message: "worker cancelled" },
        worker: { status: "cancelled" },
      },
    });
  });

  it("[L-14] is told of a failure, a cancellation and a stop", () => {
    const ends: readonly (readonly [WorkerCommand, string])[] = [
      [{ type: "cycle_ended", cycle: 1, result: failed(false) }, "failed"],
      [{ type: "cycle_ended", cycle: 1, result: failed(true) }, "cancelled"],
      [{ type: "close" }, "cancelled"],
      [{ type: "stop", graceful: true, reason: "r", children: [] }, "stopped"],
    ];
    for (const [command, status] of ends) {
      const box = WorkerFixture.running({ parent: PARENT });
      box.tell(command);
      expect(box.takeEffects().find(({ type }) => type === "report")).toEqual({ type: "report", to: PARENT });
      expect(reportOf(box.worker, PARENT, CONTEXT)).toMatchObject({
        status: status === "stopped" ? "completed" : "failed",
        worker: { status },
      });
    }
  });
});
