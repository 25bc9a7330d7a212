import { describe, expect, it } from "vitest";
import { handoffOutOfOrder, triggerOutOfOrder } from "../../../src/engine/finish/acknowledge.ts";
import { countsOf, handoffItem, isEmptyState, snapshotOf } from "../../../src/engine/finish/snapshot.ts";

const EMPTY = {
  suspended_subagents: [],
  queued_triggers: [],
  partial_handoffs: [],
  in_flight_llm_calls: [],
  pool_pending_tasks: [],
} as const;

const HANDOFF = {
  envelope_id: "envelope_1",
  seq: 1,
  target_pipeline: "to",
  origin_pipeline: "from",
  payload: "p",
  queued_at_ms: 1_000,
} as const;

describe("what is unsettled", () => {
  it("[L-21.3] nothing is said to be nothing, anything lists all five counts", () => {
    expect(snapshotOf(EMPTY)).toEqual({
      state: EMPTY,
      counts: { suspended: 0, queued: 0, partial: 0, in_flight: 0, pool_pending: 0 },
      is_empty: true,
      summary: "no unsettled work",
    });
    const some = { ...EMPTY, suspended_subagents: [{}, {}], pool_pending_tasks: [{}] };
    expect(snapshotOf(some)).toMatchObject({
      counts: { suspended: 2, pool_pending: 1 },
      is_empty: false,
      summary:
        "unsettled work: 2 suspended subagents, 0 queued triggers, 0 partial handoffs, 0 in-flight llm calls, 1 pool pending tasks",
    });
  });

  it("[L-31] what could not be asked keeps a snapshot from being empty", () => {
    const unknown = [{ bucket: "suspended_subagents", id: "worker_1", reason: "it could not be reached" }] as const;
    const snapshot = snapshotOf(EMPTY, unknown);
    expect(snapshot).toMatchObject({ is_empty: false, counts: { suspended: 0 } });
    expect(snapshot.summary).toMatch(/^unsettled work: 0 suspended subagents, .*, and 1 that could not be asked$/);
  });

  it("[L-21.9] a given state is counted bucket by bucket, and refused where it is none", () => {
    expect(countsOf({ queued_triggers: [1, 2] })).toMatchObject({ value: { queued: 2, suspended: 0 } });
    expect(countsOf("x")).toEqual({ ok: false, error: "Harness unsettled-state helpers expect a state dict" });
    const text = "unsettled-state field `queued_triggers` must be a list, got";
    for (const [value, type] of [
      ["x", "string"],
      [1, "int"],
      [1.5, "float"],
      [true, "bool"],
      [{}, "dict"],
      [null, "nil"],
    ] as const)
      expect(countsOf({ queued_triggers: value })).toEqual({ ok: false, error: `${text} ${type}` });
    expect(isEmptyState({})).toEqual({ ok: true, value: true });
    expect(isEmptyState({ partial_handoffs: [1] })).toEqual({ ok: true, value: false });
    expect(isEmptyState([])).toMatchObject({ ok: false });
  });

  it("[L-21.4] a handoff shows both ends, its age and its payload in short", () => {
    expect(handoffItem(HANDOFF, 3_500)).toEqual({
      ...HANDOFF,
      from: "from",
      to: "to",
      payload_summary: "p",
      age_ms: 2_500,
    });
    expect(handoffItem(HANDOFF, 0).age_ms).toBe(0);
  });

  it("[L-21.9] suspended subagents come before handoffs, and both before triggers", () => {
    const suspended = { ...EMPTY, suspended_subagents: [{}] };
    const handed = { ...EMPTY, partial_handoffs: [handoffItem(HANDOFF, 0)] };
    const handoff = "HARN-DRN-001: cannot acknowledge handoff while suspended subagents remain";
    const trigger = "HARN-DRN-001: cannot acknowledge trigger while suspended subagents remain";
    expect([EMPTY, suspended, handed].map(handoffOutOfOrder)).toEqual([null, handoff, null]);
    expect([EMPTY, suspended, handed].map(triggerOutOfOrder)).toEqual([null, trigger, trigger]);
  });
});
