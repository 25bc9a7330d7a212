import { describe, expect, it } from "vitest";
import { WORKER_EVENTS, workerUpdates } from "../../../src/engine/worker/updates.ts";
import { unsettledSubagent, workerHead } from "../../../src/engine/worker/view.ts";
import { spawnOf, WORKER_ID, WorkerFixture, went } from "../../support/worker-fixture.ts";

describe("the head of a worker", () => {
  it("[L-31] says where it stands", () => {
    expect(workerHead(null)).toBe(null);
    expect(workerHead(WorkerFixture.spawned().state)).toMatchObject({ worker_id: WORKER_ID, run_id: null });
    expect(workerHead(WorkerFixture.running().state)).toMatchObject({ status: "running", cycle: 1, run_id: "run_1" });
  });
});

describe("what is unsettled", () => {
  it("[L-21.4] is a suspended worker, with its age", () => {
    const box = WorkerFixture.parked({ reason: " ", conditions: { on_event: "go" } });
    const { worker } = box;
    expect(unsettledSubagent(worker, box.now + 5)).toEqual({
      handle: WORKER_ID,
      session_id: worker.audit.session_id,
      reason: "suspended",
      conditions: { on_event: "go" },
      age_ms: 5,
      initiator: "operator",
      mode: "sub_agent",
      status: "suspended",
      suspended_at: worker.suspension?.suspended_at,
      snapshot_ref: worker.snapshot_path,
      auto_resume_trigger: worker.suspension?.auto_resume_trigger,
    });
    expect(unsettledSubagent({ ...worker, suspension: null }, 0)).toMatchObject({ age_ms: 0, suspended_at: "" });
  });

  it("[L-21.4] is an awaiting sub-agent, and no other worker that waits for input", () => {
    const box = WorkerFixture.running({ carry_policy: { retriggerable: true } });
    box.end(went("a"));
    expect(unsettledSubagent(box.worker, box.now + 7)).toEqual({
      handle: WORKER_ID,
      session_id: box.worker.audit.session_id,
      reason: "awaiting_input",
      conditions: { status: "awaiting", retriggerable: true, awaiting_started_at: box.worker.awaiting_started_at },
      age_ms: 7,
      initiator: "pipeline",
      mode: "sub_agent",
      status: "awaiting",
    });
    const nameless = { ...box.worker, audit: { ...box.worker.audit, session_id: "" }, parent_worker_id: "worker_0" };
    expect(unsettledSubagent(nameless, 0)).toMatchObject({ session_id: "sub_agent_session_1", initiator: "worker_0" });
    expect(unsettledSubagent({ ...box.worker, mode: "stage" }, 0)).toBe(null);
    expect(unsettledSubagent(null, 0)).toBe(null);
    expect(unsettledSubagent(WorkerFixture.running().state, 0)).toBe(null);
  });

  it("[L-21.4] has no session where neither audit nor config has one", () => {
    const { worker } = WorkerFixture.parked();
    const config = { mode: "workflow", graph: {}, artifacts: [], options: {} } as unknown as typeof worker.config;
    const nameless = { ...worker, config, audit: { ...worker.audit, session_id: "" } };
    expect(unsettledSubagent(nameless, 0)).toMatchObject({ session_id: null });
  });
});

describe("the public events", () => {
  it("[L-13.1] have the status of the wire, and say whether they are the last", () => {
    const box = WorkerFixture.running({ carry_policy: { retriggerable: true } });
    const before = box.state;
    const event = { type: "cycle_settled", at: "t", status: "awaiting", error: null, outcome: null } as const;
    const [update] = workerUpdates(event, before, before);
    expect(update).toMatchObject({
      worker_id: WORKER_ID,
      worker_name: "helper",
      worker_task: "first",
      worker_mode: "sub_agent",
      event: "WorkerWaitingForInput",
      status: "awaiting_input",
      terminal: false,
      metadata: { task: "first", provenance: { worker_id: WORKER_ID }, error: null, suspension: null },
    });
    expect(workerUpdates(event, before, null)).toEqual([]);
    expect(WORKER_EVENTS.WorkerStopped).toEqual({ status: "stopped", terminal: true });
  });

  it("[L-13.2] of a stop hold what it left", () => {
    const box = WorkerFixture.spawned(spawnOf());
    const before = box.state;
    box.tell({ type: "stop", graceful: true, reason: "r", children: [] });
    const [event] = box.events.slice(-1);
    if (event === undefined) throw new Error("nothing happened");
    const [update] = workerUpdates(event, before, box.state);
    expect(update?.metadata).toMatchObject({ agent_stop: { reason: "r" }, handoff: { kind: "agent_stop" } });
    const bare = { type: "worker_stopped", at: "t", payload: {} } as const;
    expect(workerUpdates(bare, before, box.state)[0]?.metadata).toMatchObject({ handoff: null });
  });
});
