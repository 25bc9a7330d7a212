import { describe, expect, it } from "vitest";
import type { Worker, WorkerConfig } from "../../../src/engine/worker/state.ts";
import { resumeOf, spawnOf, WORKER_ID, WorkerFixture, went } from "../../support/worker-fixture.ts";

const specOf = ({ config }: Worker) => {
  if (config.mode !== "sub_agent") throw new Error("not a sub-agent");
  return config.spec;
};

const workflow = {
  mode: "workflow",
  graph: { nodes: {}, metadata: {} },
  artifacts: [],
  options: {},
} as unknown as WorkerConfig;

const conflict = (status: string) =>
  `resume_agent: worker ${WORKER_ID} changed before resume could complete (status=${status})`;

const snapshotOf = (changed: Partial<Worker>): Worker => ({ ...WorkerFixture.spawned(spawnOf()).worker, ...changed });

const restore = (worker: Worker, input: string | null = null, continue_transcript = true) =>
  ({ type: "restore", worker, input, continue_transcript }) as const;

describe("a resumption", () => {
  it("[L-17.5] of a paused run goes on with that run in a new cycle", () => {
    const box = WorkerFixture.parked();
    const { started_at } = box.worker;
    box.now += 1;
    box.resume({ input: "go on" });
    expect(box.worker).toMatchObject({
      status: "running",
      cycle: 2,
      task: "go on",
      history: ["first", "go on"],
      suspension: null,
      started_at,
      run: { run_id: "run_1", begun: true, paused: false },
    });
    expect(specOf(box.worker).task).toBe("go on");
    expect(box.takeEffects()).toEqual([
      {
        type: "resume_run",
        cycle: 2,
        run_id: "run_1",
        speech: [expect.objectContaining({ role: "system" }), { role: "user", content: "go on" }],
      },
      { type: "index_worker" },
    ]);
    expect(box.shown).toEqual(["WorkerSpawned", "WorkerSuspended", "WorkerResumed", "WorkerSpawned"]);
    box.end(went("a"), 1);
    expect(box.worker.status).toBe("running");
    box.end(went("a"));
    expect(box.worker.status).toBe("completed");
  });

  it("[L-17.6] tells a sub-agent of its suspension", () => {
    const box = WorkerFixture.parked({ reason: "wait", initiator: "self" });
    box.resume({ input: { a: 1 }, initiator: "parent" });
    const [effect] = box.takeEffects();
    const speech = effect?.type === "resume_run" ? effect.speech : [];
    expect(speech[0]).toMatchObject({
      metadata: {
        dedupe_key: "resume_continuity",
        resume_continuity: {
          session_id: "sub_agent_session_1",
          worker: { id: WORKER_ID, name: "helper", mode: "sub_agent" },
          suspension: { reason: "wait", initiator: "self", suspended_at_turn: 3, conditions: null },
          reason: "wait",
          suspended_at_turn: 3,
          resume: { initiator: "parent", input: { a: 1 }, input_rendered: '{"a":1}', digest: null, trigger: null },
          input_present: true,
          continue_transcript: true,
          turn: 0,
          iteration: 0,
        },
      },
    });
    expect(box.worker.task).toBe('{"a":1}');
  });

  it("[L-17.5] of anything else tells no more than the input", () => {
    for (const input of ["more", null]) {
      const box = WorkerFixture.spawned({ mode: "workflow", config: workflow });
      box.begin("run_1");
      box.suspend();
      box.rest();
      box.takeEffects();
      box.resume({ input });
      const speech = input === null ? [] : [{ role: "user", content: "more" }];
      expect(box.takeEffects()[0]).toEqual({ type: "resume_run", cycle: 2, run_id: "run_1", speech });
    }
  });

  it("[L-17.5] without the conversation goes on with its digest", () => {
    const box = WorkerFixture.parked();
    box.resume({ continue_transcript: false });
    const [effect] = box.takeEffects();
    const digest = effect?.type === "resume_run" ? effect.digest : undefined;
    expect(digest).toContain("so far");
    expect(box.worker.transcript).toMatchObject({ id: "tr_1", summary: digest, messages: [{ role: "user" }] });
  });

  it("[L-17.5] of a run that has ended settles the worker with what was kept", () => {
    for (const [result, status, shown] of [
      [went("a"), "completed", "WorkerCompleted"],
      [{ ok: false, cancelled: false, error: "boom" }, "failed", "WorkerFailed"],
      [{ ok: false, cancelled: true, error: "gone" }, "cancelled", "WorkerCancelled"],
    ] as const) {
      const box = WorkerFixture.running();
      box.suspend();
      box.end(result);
      box.takeEffects();
      const { transcript } = box.worker;
      box.resume({ continue_transcript: false });
      expect(box.worker.transcript).toBe(transcript);
      expect(box.worker).toMatchObject({ status, latest_error: result.ok ? null : result.error, cycle: 1 });
      expect(box.takeEffects()).toEqual([{ type: "index_worker" }]);
      expect(box.shown.slice(2)).toEqual(["WorkerResumed", shown]);
    }
  });

  it("[L-17.5] of a run that has ended begins a new cycle where there is an input", () => {
    const box = WorkerFixture.running({ carry_policy: { transcript_mode: "reset" } });
    box.suspend();
    box.end(went("a"));
    box.takeEffects();
    box.now += 1;
    const { started_at } = box.worker;
    box.resume({ input: "more" });
    expect(box.worker).toMatchObject({
      status: "running",
      cycle: 2,
      run: null,
      task: "more",
      history: ["first", "more"],
      started_at,
      transcript: { id: "tr_1" },
      latest_payload: { text: "a" },
      carry_policy: { transcript_mode: "reset" },
    });
    expect(specOf(box.worker).options["_resume_continuity"]).toMatchObject({ input: "more", suspended_at_turn: 0 });
    expect(box.takeEffects()).toEqual([{ type: "start_cycle", cycle: 2 }, { type: "index_worker" }]);
    box.begin("run_2");
    expect(box.shown.slice(2)).toEqual(["WorkerResumed", "WorkerSpawned"]);
    box.end(went("b"));
    box.tell({ type: "send_input", task: "third" });
    expect(specOf(box.worker).options).not.toHaveProperty("_resume_continuity");
  });

  it("[L-17.6] takes the turn from what the run came to where the suspension has none", () => {
    const box = WorkerFixture.running();
    box.suspend();
    box.end({ ok: true, payload: { iterations: 7 }, transcript: null, artifacts: [], execution: null });
    box.resume({ input: "more" });
    expect(specOf(box.worker).options["_resume_continuity"]).toMatchObject({ suspended_at_turn: 7 });
  });

  it("[L-17.4] is refused by a worker that is not suspended", () => {
    const box = WorkerFixture.running();
    expect(box.refusal(resumeOf())).toEqual({
      code: "invalid_transition",
      detail: `HARN-SUS-003: resume_agent: worker ${WORKER_ID} is not suspended (status=running)`,
    });
    box.tell({ type: "close" });
    expect(box.refusal(resumeOf()).detail).toBe(`resume_agent: worker ${WORKER_ID} was closed and cannot be resumed`);
  });

  it("[L-17.5] is refused until the run has come to rest", () => {
    const box = WorkerFixture.running();
    box.suspend();
    expect(box.refusal(resumeOf()).detail).toBe(
      `resume_agent: worker ${WORKER_ID} has not reached its suspend checkpoint yet`,
    );
  });

  it("[L-17.5] with a blank input is refused, and the worker stays suspended", () => {
    const box = WorkerFixture.parked();
    expect(box.refusal(resumeOf({ input: " \n" }))).toEqual({
      code: "invalid_request",
      detail: "resume_agent: resume input must be nil or non-empty text",
    });
    expect(box.worker.suspension).not.toBe(null);
  });

  it("[L-17.5] that somebody else was faster than is refused as a conflict", () => {
    const box = WorkerFixture.parked();
    const suspended_at = box.worker.suspension?.suspended_at ?? "";
    expect(box.refusal(resumeOf({ suspended_at: "2020-01-01T00:00:00.000Z" })).detail).toBe(conflict("suspended"));
    box.resume({ suspended_at });
    expect(box.refusal(resumeOf({ suspended_at })).detail).toBe(conflict("running"));
    expect(box.refusal(resumeOf({ initiator: "triggered" })).detail).toBe(conflict("running"));
    expect(box.refusal(resumeOf({ initiator: "timeout" })).detail).toBe(conflict("running"));
  });

  it("[L-17.6] by an event is triggered, unless a person or the parent says to have done it", () => {
    const event = { id: "event_1", kind: "push", provider: "github", dedupe_key: "d" };
    for (const [initiator, shown] of [
      ["drain_agent", "triggered"],
      ["operator", "operator"],
      ["parent", "parent"],
      ["timeout", "timeout"],
    ] as const) {
      const box = WorkerFixture.parked({ conditions: { trigger: { kind: "webhook" } } });
      const id = box.worker.suspension?.auto_resume_trigger?.id;
      box.resume({ initiator, trigger_event: event });
      expect(box.events.at(-1)).toMatchObject({ initiator: shown });
      expect(JSON.stringify(box.takeEffects())).toContain(
        JSON.stringify({
          id,
          event_id: "event_1",
          kind: "push",
          provider: "github",
          dedupe_key: "d",
          timeout_action: null,
        }),
      );
    }
    const box = WorkerFixture.parked();
    box.resume({ initiator: "drain_agent" });
    expect(box.events.at(-1)).toMatchObject({ initiator: "drain_agent" });
  });

  it("[L-18.3] gives up the trigger, as does a close or a stop", () => {
    const conditions = { on_event: "go" };
    for (const command of [
      resumeOf(),
      { type: "close" },
      { type: "stop", graceful: true, reason: "", children: [] },
    ] as const) {
      const box = WorkerFixture.parked({ conditions });
      const trigger_id = box.worker.suspension?.auto_resume_trigger?.id;
      box.tell(command);
      expect(box.takeEffects().filter(({ type }) => type === "unlisten")).toEqual([
        { type: "unlisten", trigger_id, conditions },
      ]);
      expect(box.worker.suspension).toBe(null);
    }
  });

  it("[L-17.5] of a worker that was born parked may change its task", () => {
    const box = WorkerFixture.spawned({ resume_when: {} });
    box.resume({ input: "other" });
    expect(box.worker).toMatchObject({ task: "other", history: ["first", "other"], cycle: 1 });
  });
});

describe("a restoration", () => {
  it("[L-12.4] takes over a worker; what ran is interrupted, and nothing runs", () => {
    const box = new WorkerFixture();
    box.tell(restore(snapshotOf({ children: ["worker_2"], cycle: 4 })));
    expect(box.worker).toMatchObject({ status: "interrupted", run: null, parent: null, children: [], cycle: 4 });
    expect(box.takeEffects()).toEqual([{ type: "index_worker" }]);
    expect(box.shown).toEqual([]);
    box.tell({ type: "send_input", task: "again" });
    expect(box.worker).toMatchObject({ status: "running", cycle: 5 });
  });

  it("[L-17.4] applies an input and leaves the conversation out where it is asked to", () => {
    const { transcript } = WorkerFixture.parked().worker;
    const box = new WorkerFixture();
    box.tell(restore(snapshotOf({ status: "completed", transcript }), "next", false));
    expect(box.worker).toMatchObject({ status: "completed", task: "next", history: ["first", "next"] });
    expect(box.worker.transcript).toMatchObject({ messages: [{ role: "user" }] });
    expect(new WorkerFixture().refusal(restore(snapshotOf({}), " ")).code).toBe("invalid_request");
  });

  it("[L-17.4] of a suspended worker registers its conditions anew and waits for a resumption", () => {
    const asleep = WorkerFixture.parked({
      conditions: { on_event: "go", timeout: { duration_minutes: 1, on_timeout: "fail" } },
    });
    const box = new WorkerFixture();
    box.tell(restore(asleep.worker));
    expect(box.worker).toMatchObject({ status: "suspended", resume_at_ms: asleep.now + 60_000, run: null });
    expect(box.takeEffects()).toMatchObject([{ type: "listen" }, { type: "index_worker" }]);
    box.resume();
    expect(box.worker).toMatchObject({ status: "running", task: "first", history: ["first"] });
    expect(box.takeEffects()).toContainEqual({ type: "start_cycle", cycle: 2 });
  });

  it("[L-17.4] of a suspension that says nothing of itself is parked openly", () => {
    const box = new WorkerFixture();
    const suspension = { ...WorkerFixture.parked().worker.suspension, suspended_at: "long ago" };
    box.tell(restore(snapshotOf({ status: "suspended", suspension } as Partial<Worker>)));
    expect(box.worker).toMatchObject({ resume_at_ms: null });
    const other = new WorkerFixture();
    other.tell(restore(snapshotOf({ status: "suspended" })));
    expect(other.worker.suspension).toMatchObject({ reason: "", initiator: "operator", conditions: null });
    other.resume();
    expect(other.worker.status).toBe("running");
  });

  it("[L-17.4] over a worker that is there resumes it or is refused", () => {
    const box = WorkerFixture.parked();
    box.tell(restore(snapshotOf({}), "go"));
    expect(box.worker).toMatchObject({ status: "running", task: "go" });
    expect(box.refusal(restore(snapshotOf({}))).detail).toContain("HARN-SUS-003");
  });
});
