import { describe, expect, it } from "vitest";
import { unsettledSubagent } from "../../../src/engine/worker/view.ts";
import type { Worker, WorkerSuspension } from "../../../src/engine/worker/state.ts";
import { decodeContextPolicy } from "../../../src/schema/policy.ts";
import { must } from "../../support/run-fixture.ts";

const AT = "2026-01-01T00:00:00.000Z";

const NOW = Date.parse(AT) + 2_000;

const SUSPENSION: WorkerSuspension = {
  reason: "lunch",
  initiator: "parent",
  suspended_at: AT,
  snapshot_ref: "worker://worker_1/snapshots/3",
  prior_span_link: null,
  pipeline_span_link: null,
  suspended_at_turn: null,
  conditions: { on_event: "go" },
  auto_resume_trigger: { id: "t", version: 2 },
  quiesced_at: null,
};

const WORKER: Worker = {
  tenant: "default",
  id: "worker_1",
  name: "worker",
  task: "t",
  status: "suspended",
  created_at: AT,
  started_at: AT,
  finished_at: null,
  awaiting_started_at: null,
  mode: "sub_agent",
  history: ["t"],
  config: {
    mode: "sub_agent",
    spec: {
      name: "sub-agent",
      task: "t",
      system: null,
      options: {},
      returns_schema: null,
      session_id: "session_of_spec",
      parent_session_id: null,
    },
  },
  request: {
    task: "t",
    system: null,
    payload: null,
    research_questions: [],
    action_items: [],
    workflow_stages: [],
    verification_steps: [],
  },
  latest_payload: null,
  latest_error: null,
  transcript: null,
  artifacts: [],
  parent_worker_id: null,
  parent_stage_id: null,
  child_run_id: null,
  child_run_path: null,
  carry_policy: {
    artifact_mode: "inherit",
    transcript_mode: "inherit",
    context_policy: must(decodeContextPolicy({}, "context_policy")),
    resume_workflow: false,
    persist_state: true,
    retriggerable: true,
    policy: null,
  },
  execution: { cwd: null, env: {}, worktree: null },
  snapshot_path: "worker://worker_1/snapshots/1",
  audit: {
    session_id: "session_1",
    parent_session_id: null,
    run_id: null,
    worker_id: "worker_1",
    execution_kind: "sub_agent",
    mutation_scope: "read_only",
    approval_policy: null,
  },
  suspension: SUSPENSION,
  cycle: 1,
  run: null,
  parent: null,
  resume_at_ms: null,
  children: [],
};

describe("a worker among what is unsettled", () => {
  it("[L-21.4] a suspended one shows why, since when and by whom", () => {
    expect(unsettledSubagent(WORKER, NOW)).toEqual({
      handle: "worker_1",
      session_id: "session_1",
      reason: "lunch",
      conditions: { on_event: "go" },
      age_ms: 2_000,
      initiator: "parent",
      mode: "sub_agent",
      status: "suspended",
      suspended_at: AT,
      snapshot_ref: "worker://worker_1/snapshots/3",
      auto_resume_trigger: { id: "t", version: 2 },
    });
  });

  it("[L-21.4] what is not known has a default", () => {
    const silent = {
      ...WORKER,
      audit: { ...WORKER.audit, session_id: "" },
      suspension: { ...SUSPENSION, reason: "  ", conditions: null, auto_resume_trigger: null, snapshot_ref: "" },
    };
    expect(unsettledSubagent(silent, 0)).toMatchObject({
      session_id: "session_of_spec",
      reason: "suspended",
      conditions: null,
      age_ms: 0,
      snapshot_ref: "worker://worker_1/snapshots/1",
      auto_resume_trigger: null,
    });
    const bare: Worker = { ...silent, suspension: null, config: { mode: "workflow" } as never };
    expect(unsettledSubagent(bare, NOW)).toMatchObject({
      session_id: null,
      reason: "suspended",
      age_ms: 0,
      initiator: "operator",
      suspended_at: "",
    });
  });

  it("[L-21.4] a sub-agent that waits for input counts, any other worker does not", () => {
    const awaiting: Worker = { ...WORKER, status: "awaiting", awaiting_started_at: AT, suspension: null };
    expect(unsettledSubagent(awaiting, NOW)).toEqual({
      handle: "worker_1",
      session_id: "session_1",
      reason: "awaiting_input",
      conditions: { status: "awaiting", retriggerable: true, awaiting_started_at: AT },
      age_ms: 2_000,
      initiator: "pipeline",
      mode: "sub_agent",
      status: "awaiting",
    });
    expect(unsettledSubagent({ ...awaiting, parent_worker_id: "worker_0" }, NOW)).toMatchObject({
      initiator: "worker_0",
    });
    expect(unsettledSubagent({ ...awaiting, mode: "stage" }, NOW)).toBeNull();
    for (const status of ["running", "completed", "failed", "cancelled", "stopped", "interrupted"] as const)
      expect(unsettledSubagent({ ...WORKER, status }, NOW)).toBeNull();
  });
});
