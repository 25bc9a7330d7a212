import { describe, expect, it } from "vitest";
import type { LifecycleRequest } from "../../../src/engine/finish/command.ts";
import { drainBudget, type DrainEffect } from "../../../src/engine/finish/drain.ts";
import { handoffItem, type UnsettledState } from "../../../src/engine/finish/snapshot.ts";
import { type DrainPorts, drainRun } from "../../../src/http/settle-run.ts";
import type { JsonObject } from "../../../src/lib/json.ts";

const handoff = (seq: number) =>
  handoffItem(
    {
      envelope_id: `envelope_${seq}`,
      seq,
      target_pipeline: "t",
      origin_pipeline: null,
      payload: null,
      queued_at_ms: 0,
    },
    0,
  );

const job = (id: string): UnsettledState["queued_triggers"][number] => ({
  id: `worker://q/${id}`,
  event_id: id,
  trigger_id: null,
  binding_key: null,
  spec_summary: "command",
  queued_at_ms: 0,
  age_ms: 0,
  source: "worker_queue",
  queue: "q",
  job_event_id: id,
  claimed: false,
});

const CALL = {
  call_id: "llm_call_1",
  model: null,
  role: "user",
  started_at_ms: 0,
  age_ms: 0,
  stage_id: "s",
  node_id: "n",
  stale: false,
} as const;

const NOTHING: UnsettledState = {
  suspended_subagents: [],
  queued_triggers: [],
  partial_handoffs: [],
  in_flight_llm_calls: [],
  pool_pending_tasks: [],
};

/** A world in which what is settled is gone, but for what `isStuck` names. */
const world = (given: Partial<UnsettledState>, isStuck: (effect: DrainEffect) => boolean = () => false) => {
  let state: UnsettledState = { ...NOTHING, ...given };
  const done: DrainEffect[] = [];
  const audit: { readonly kind: string; readonly payload: JsonObject }[] = [];
  const ports: DrainPorts = {
    snapshot: async () => ({ state, is_empty: Object.values(state).every((bucket) => bucket.length === 0) }),
    carryOut: async (effect) => {
      if (isStuck(effect)) return false;
      done.push(effect);
      if (effect.type === "close_worker")
        state = {
          ...state,
          suspended_subagents: state.suspended_subagents.filter(({ handle }) => handle !== effect.worker_id),
        };
      else if (effect.type === "ack_job")
        state = {
          ...state,
          queued_triggers: state.queued_triggers.filter(({ job_event_id }) => job_event_id !== effect.job_id),
        };
      return true;
    },
    tell: async (request: LifecycleRequest) => {
      if (request.type === "emit_audit")
        audit.push({ kind: request.kind, payload: request.payload as unknown as JsonObject });
      if (request.type !== "acknowledge_handoff") return true;
      const { envelope_id } = request;
      if (isStuck(request)) return false;
      done.push(request);
      audit.push({ kind: "handoff_acknowledged", payload: { envelope_id, decision: request.decision } });
      state = {
        ...state,
        partial_handoffs: state.partial_handoffs.filter((open) => open.envelope_id !== envelope_id),
      };
      return true;
    },
  };
  return { ports, done, audit };
};

const ASKED = { budget: 5, return_value: "r", given_is_empty: true, include_events: false } as const;

/** The first job and the first handoff stay, whatever is done. */
const stuck = (effect: DrainEffect): boolean =>
  (effect.type === "ack_job" && effect.job_id === "j1") ||
  (effect.type === "acknowledge_handoff" && effect.envelope_id === "envelope_1");

describe("the settlement agent", () => {
  it("[L-21.10] its budget is 1 to 20, and 5 for anything else", () => {
    expect([1, 20, 21, 99].map(drainBudget)).toEqual([1, 20, 20, 20]);
    expect([0, -1, 1.5, "3", null, undefined].map(drainBudget)).toEqual([5, 5, 5, 5, 5, 5]);
  });

  it("[L-21.10] with nothing unsettled, here and by the caller's account, it does nothing", async () => {
    const { ports, audit } = world({});
    expect(await drainRun(ports, ASKED)).toEqual({
      status: "no_unsettled",
      method: "spawn_settlement_agent",
      iterations: 0,
      items_processed: 0,
      audit_count: 0,
      budget: 5,
      remaining: NOTHING,
      return_value: "r",
    });
    expect(audit).toEqual([]);
    const believed = await drainRun(ports, { ...ASKED, given_is_empty: false });
    expect(believed).toMatchObject({ status: "completed", iterations: 0, audit_count: 1 });
    expect(audit).toMatchObject([{ kind: "pipeline_finalized", payload: { reason: "drained", items_processed: 0 } }]);
  });

  it("[L-21.10] each iteration settles the first of each bucket, in the order of settling", async () => {
    const { ports, done, audit } = world({
      suspended_subagents: [{ handle: "worker_1", reason: "r" }],
      queued_triggers: [job("j1"), job("j2")],
      partial_handoffs: [handoff(1), handoff(2)],
    });
    const receipt = await drainRun(ports, ASKED);
    expect(receipt).toMatchObject({ status: "completed", iterations: 2, items_processed: 5, remaining: NOTHING });
    const decision = { disposition: "deferred", source: "settlement_agent" };
    expect(done).toEqual([
      { type: "close_worker", worker_id: "worker_1" },
      { type: "ack_job", queue: "q", job_id: "j1" },
      { type: "acknowledge_handoff", envelope_id: "envelope_1", decision },
      { type: "ack_job", queue: "q", job_id: "j2" },
      { type: "acknowledge_handoff", envelope_id: "envelope_2", decision },
    ]);
    expect(audit.slice(0, 4)).toEqual([
      {
        kind: "drain_decision",
        payload: {
          action: "cancel",
          item: { category: "suspended_subagent", id: "worker_1", summary: { handle: "worker_1", reason: "r" } },
          reason: "default disposition: cancel suspended subagent at drain",
        },
      },
      {
        kind: "drain_decision",
        payload: {
          action: "acknowledge",
          item: { category: "queued_trigger", id: "worker://q/j1", summary: job("j1") },
          reason: "default disposition: acknowledge stale queued trigger at drain",
        },
      },
      { kind: "handoff_acknowledged", payload: { envelope_id: "envelope_1", decision } },
      {
        kind: "drain_decision",
        payload: {
          action: "acknowledge",
          item: { category: "partial_handoff", id: "envelope_1", summary: handoff(1) },
          reason: "default disposition: acknowledge partial handoff as deferred",
        },
      },
    ]);
    expect(audit.at(-1)).toEqual({
      kind: "pipeline_finalized",
      payload: { reason: "drained", iterations: 2, items_processed: 5 },
    });
    expect(receipt.audit_count).toBe(audit.length);
  });

  it("[L-30.6] what cannot be settled from here is decided once, and does not use up the budget", async () => {
    const task = { task_id: "task_1" };
    const { ports, audit } = world({ in_flight_llm_calls: [CALL], pool_pending_tasks: [task] });
    const receipt = await drainRun(ports, ASKED);
    expect(receipt).toMatchObject({ status: "exhausted", iterations: 1, items_processed: 2, audit_count: 3 });
    expect(audit.map(({ payload }) => payload)).toMatchObject([
      {
        action: "drain",
        item: { category: "in_flight_llm_call", id: "llm_call_1" },
        reason: "default disposition: record drain decision for in-flight llm call",
      },
      {
        action: "defer",
        item: { category: "pool_pending_task", id: "task_1" },
        reason: "default disposition: defer pool pending task at drain",
      },
      { iterations: 1, budget: 5, items_processed: 2, remaining: { pool_pending_tasks: [task] } },
    ]);
    expect(audit.at(-1)?.kind).toBe("drain_unsettled_remaining");
  });

  it("[L-30.6] what could not be settled is not audited as settled, and those behind it are", async () => {
    const given = { queued_triggers: [job("j1"), job("j2")], partial_handoffs: [handoff(1), handoff(2)] };
    const { ports, audit } = world(given, stuck);
    const receipt = await drainRun(ports, ASKED);
    expect(receipt).toMatchObject({ status: "exhausted", iterations: 2, items_processed: 2 });
    expect(receipt.remaining).toMatchObject({ queued_triggers: [{ event_id: "j1" }], partial_handoffs: [{ seq: 1 }] });
    const decided = audit.filter(({ kind }) => kind === "drain_decision");
    expect(decided.map(({ payload }) => (payload["item"] as JsonObject)["id"])).toEqual([
      "worker://q/j2",
      "envelope_2",
    ]);
  });

  it("[L-30.6] events that wait for other runs are cancelled on request only", async () => {
    const { queue: _queue, job_event_id: _job, claimed: _claimed, ...rest } = job("e1");
    const event = { ...rest, id: "trigger://t@v1/e1", binding_key: "t@v1", source: "trigger_inbox" } as const;
    const given = { queued_triggers: [event, job("j1")] };
    const careful = world(given);
    expect(await drainRun(careful.ports, ASKED)).toMatchObject({ status: "exhausted", items_processed: 1 });
    expect(careful.done).toEqual([{ type: "ack_job", queue: "q", job_id: "j1" }]);
    const thorough = world(given);
    await drainRun(thorough.ports, { ...ASKED, include_events: true });
    expect(thorough.done).toEqual([
      { type: "cancel_event", binding_key: "t@v1", event_id: "e1" },
      { type: "ack_job", queue: "q", job_id: "j1" },
    ]);
  });

  it("[L-21.10] it ends with its budget", async () => {
    const { ports } = world({ queued_triggers: [job("j1"), job("j2"), job("j3")] });
    const receipt = await drainRun(ports, { ...ASKED, budget: 2 });
    expect(receipt).toMatchObject({ status: "exhausted", iterations: 2, budget: 2 });
    expect(receipt.remaining.queued_triggers).toHaveLength(1);
  });
});
