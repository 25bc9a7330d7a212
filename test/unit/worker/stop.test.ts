import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/lib/json.ts";
import type { ArtifactRecord } from "../../../src/schema/artifact.ts";
import { orderedCycle } from "../../../src/engine/worker/cycle-run.ts";
import { stopPayload, stopSummary } from "../../../src/engine/worker/stop-handoff.ts";
import type { Worker } from "../../../src/engine/worker/state.ts";
import { SUB_AGENT, transcriptOf, WORKER_ID, WorkerFixture, went } from "../../support/worker-fixture.ts";

const stop = (children: readonly JsonObject[] = [], reason = "enough") =>
  ({ type: "stop", graceful: true, reason, children }) as const;

const workerWith = (changed: Partial<Worker>): Worker => ({ ...WorkerFixture.running().worker, ...changed });

const context = { now: 0, nextId: (prefix: string) => `${prefix}_1` };
const payloadOf = (worker: Worker, children: readonly JsonObject[] = []) =>
  stopPayload(worker, { reason: "enough", children }, context);

const artifact = (changed: Partial<ArtifactRecord>): ArtifactRecord =>
  ({ id: "artifact_1", kind: "patch", title: "a patch", metadata: {}, data: null, ...changed }) as ArtifactRecord;

describe("closing", () => {
  it("[L-8.3] cancels whatever the worker is at and ends its run and children", () => {
    const box = WorkerFixture.running();
    box.tell({ type: "adopt_child", worker_id: "worker_2" });
    box.tell({ type: "adopt_child", worker_id: "worker_2" });
    expect(box.worker.children).toEqual(["worker_2"]);
    box.tell({ type: "close" });
    expect(box.worker).toMatchObject({ status: "cancelled", latest_error: "worker cancelled" });
    expect(box.worker.finished_at).not.toBe(null);
    expect(box.takeEffects()).toEqual([
      { type: "cancel_run", run_id: "run_1", reason: "worker cancelled" },
      { type: "close_child", worker_id: "worker_2" },
      { type: "index_worker" },
    ]);
    expect(box.shown.at(-1)).toBe("WorkerCancelled");
    const before = box.state;
    box.tell({ type: "close" });
    expect(box.state).toBe(before);
  });

  it("[L-31] ends the run of a cycle that is not known yet: whoever was starting it may be gone", () => {
    const box = WorkerFixture.spawned();
    const ordered = orderedCycle(box.state);
    box.takeEffects();
    box.tell({ type: "close" });
    const run_id = ordered?.order.ok === true ? ordered.order.value.run_id : "";
    expect(box.takeEffects()).toContainEqual({ type: "cancel_run", run_id, reason: "worker cancelled" });
  });

  it("[L-8.2] applies to a completed worker, whose run is over", () => {
    const box = WorkerFixture.running();
    box.end(went("a"));
    box.takeEffects();
    box.tell({ type: "stop", graceful: false, reason: "x", children: [] });
    expect(box.worker).toMatchObject({ status: "cancelled", latest_payload: { text: "a" } });
    expect(box.takeEffects()).toEqual([{ type: "index_worker" }]);
  });

  it("[L-17.8] ends a child that shows up afterwards", () => {
    const box = WorkerFixture.running();
    box.tell({ type: "close" });
    box.takeEffects();
    box.tell({ type: "adopt_child", worker_id: "worker_2" });
    expect(box.takeEffects()).toEqual([{ type: "close_child", worker_id: "worker_2" }]);
  });
});

describe("a graceful stop", () => {
  it("[L-17.8] leaves a handoff and ends the run and the children that were not stopped before it", () => {
    const box = WorkerFixture.running();
    for (const worker_id of ["worker_2", "worker_3"]) box.tell({ type: "adopt_child", worker_id });
    const child = { worker_id: "worker_2", handoff: { id: "h2" }, handoffs: [{ id: "h2" }, { id: "h4" }] };
    box.tell(stop([child]));
    expect(box.worker).toMatchObject({
      status: "stopped",
      latest_error: null,
      latest_payload: {
        _type: "agent_stop_result",
        status: "stopped",
        stop_mode: "graceful",
        reason: "enough",
        worker_id: WORKER_ID,
        session_id: "sub_agent_session_1",
        children: [child],
        handoffs: [{ kind: "agent_stop" }, { id: "h2" }, { id: "h4" }],
      },
    });
    expect(box.takeEffects().filter(({ type }) => type === "close_child" || type === "cancel_run")).toEqual([
      { type: "cancel_run", run_id: "run_1", reason: "enough" },
      { type: "close_child", worker_id: "worker_3" },
    ]);
    expect(box.shown.at(-1)).toBe("WorkerStopped");
    const before = box.state;
    box.tell(stop());
    expect(box.state).toBe(before);
  });

  it("[L-17.8] sums up with the first thing there is to say", () => {
    const spoken = transcriptOf("question", "answer");
    expect(stopSummary(workerWith({ latest_payload: { summary: " ", outcome: "done" } }))).toBe("done");
    expect(stopSummary(workerWith({ transcript: { ...spoken, summary: "so far" } }))).toBe("so far");
    expect(stopSummary(workerWith({ transcript: spoken }))).toBe("answer");
    const silent = {
      messages: [
        { role: "user", content: "asked" },
        { role: "system", content: "hidden" },
      ],
    };
    expect(stopSummary(workerWith({ transcript: silent }))).toBe("asked");
    expect(stopSummary(workerWith({ latest_error: "boom", transcript: { messages: null } }))).toBe("boom");
    expect(stopSummary(workerWith({}))).toBe("Stopped before the sub-agent produced a transcript summary.");
  });

  it("[L-17.8] hands over what the worker made and what is left of its budget", () => {
    const spec = SUB_AGENT.mode === "sub_agent" ? SUB_AGENT.spec : null;
    const config = { ...SUB_AGENT, spec: { ...spec, options: { token_budget: 100 } } } as Worker["config"];
    const artifacts = [
      artifact({ metadata: { path: "a.ts" }, data: { path: "a.ts", uri: "x://b" } }),
      artifact({ id: "artifact_2", title: null }),
    ];
    const worker = workerWith({ config, artifacts, latest_payload: { tokens_used: 130 }, child_run_path: "r.json" });
    expect(payloadOf(worker)).toMatchObject({
      handoff: {
        _type: "handoff_artifact",
        kind: "agent_stop",
        source_persona: "helper",
        target_persona_or_human: { kind: "persona", id: "session_parent", label: "parent_agent" },
        task: "first",
        evidence_refs: [
          { kind: "worker_snapshot", path: worker.snapshot_path },
          { kind: "run_record", path: "r.json" },
          { kind: "patch", artifact_id: "artifact_1", label: "a patch" },
          { kind: "patch", artifact_id: "artifact_2", label: null },
        ],
        files_or_entities_touched: ["a.ts", "x://b"],
        requested_capabilities: ["parent_takeover"],
        budget_remaining: { tokens: 0, tool_calls: null, dollars: null },
        confidence: 0.45,
        metadata: {
          schema: "harn.agent_stop.handoff.v1",
          worker_status: "running",
          token_budget: 100,
          tokens_used: 130,
        },
      },
    });
  });

  it("[L-17.8] of a worker that is no sub-agent names its audit session, and the parent agent", () => {
    const workflow = {
      mode: "workflow",
      graph: { nodes: {} },
      artifacts: [],
      options: {},
    } as unknown as Worker["config"];
    const node = { mode: "stage", node: {}, artifacts: [], transcript: null } as unknown as Worker["config"];
    for (const config of [workflow, node]) {
      const worker = workerWith({ config, transcript: transcriptOf("q"), name: " ", task: " " });
      expect(payloadOf(worker, [{}])).toMatchObject({
        session_id: worker.audit.session_id,
        handoff: {
          source_persona: "sub-agent",
          task: "first",
          target_persona_or_human: { id: "parent_agent" },
          budget_remaining: { tokens: null },
          confidence: 0.78,
          metadata: { child_handoffs: [null] },
        },
      });
    }
  });

  it("[L-17.8] without a reason has the default one", () => {
    const box = WorkerFixture.running();
    box.tell(stop([], " "));
    expect(box.worker.latest_payload).toMatchObject({ reason: "worker stopped" });
    expect(box.takeEffects()).toContainEqual({ type: "cancel_run", run_id: "run_1", reason: "worker stopped" });
  });
});
