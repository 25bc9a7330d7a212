import { describe, expect, it } from "vitest";
import { auditEntries, auditRecord, pipelineIdOf } from "../../../src/engine/finish/audit.ts";
import type { LifecycleCommand, LifecycleEvent, LifecycleOutcome } from "../../../src/engine/finish/command.ts";
import { lifecycleMachine } from "../../../src/engine/finish/machine.ts";
import { type Lifecycle, NEW_LIFECYCLE } from "../../../src/engine/finish/state.ts";
import { fold } from "../../../src/engine/machine.ts";

type Told = LifecycleCommand extends infer C ? (C extends LifecycleCommand ? Omit<C, "pipeline_id"> : never) : never;

/** A lifecycle that is told one thing after the other, and what it has recorded. */
class Lifetime {
  state: Lifecycle = NEW_LIFECYCLE;
  readonly events: LifecycleEvent[] = [];

  decide(command: Told, now = 1_000) {
    const context = { now, nextId: (prefix: string) => `${prefix}_1` };
    return lifecycleMachine.decide(this.state, { ...command, pipeline_id: "run_1" } as LifecycleCommand, context);
  }

  tell(command: Told, now?: number): LifecycleOutcome {
    const decision = this.decide(command, now);
    if (!decision.ok) throw new Error(decision.rejection.detail);
    this.events.push(...decision.events);
    this.state = fold(lifecycleMachine, this.state, decision.events);
    return decision.reply;
  }
}

describe("the lifecycle of a run", () => {
  it("[L-21.6] audit entries and handoffs count up together, so that handoffs leave gaps in the audit", () => {
    const told = new Lifetime();
    told.tell({ type: "emit_audit", kind: "a", payload: 1 });
    const { envelope } = told.tell({ type: "hand_off", target: "t", payload: { x: 1 } }, 5_000);
    expect(envelope).toEqual({
      envelope_id: "envelope_2",
      seq: 2,
      target_pipeline: "t",
      origin_pipeline: "run_1",
      payload: { x: 1 },
      queued_at_ms: 5_000,
    });
    told.tell({ type: "acknowledge_handoff", envelope_id: "envelope_2", decision: "yes" });
    told.tell({ type: "set_disposition", disposition: { kind: "drained" } });
    const entries = auditEntries([{ events: told.events }]);
    expect(entries.map(({ seq, kind }) => [seq, kind])).toEqual([
      [1, "a"],
      [3, "handoff_acknowledged"],
      [4, "pipeline_finalized"],
    ]);
    expect(entries[1]?.payload).toEqual({ envelope_id: "envelope_2", decision: "yes" });
    expect(entries[2]?.payload).toEqual({ disposition: { kind: "drained" } });
    expect(auditEntries([{ events: told.events }], 3)).toHaveLength(1);
    expect(told.state).toEqual({ ...NEW_LIFECYCLE, seq: 4, disposition: { kind: "drained" } });
  });

  it("[L-21.7] a handoff is acknowledged once, and an unknown one takes no number", () => {
    const told = new Lifetime();
    told.tell({ type: "hand_off", target: "t", payload: null });
    const acknowledge = { type: "acknowledge_handoff", envelope_id: "envelope_1", decision: null } as const;
    expect(told.tell({ ...acknowledge, envelope_id: "envelope_9" })).toMatchObject({ envelope: null, entry: null });
    expect(told.tell(acknowledge).envelope?.envelope_id).toBe("envelope_1");
    expect(told.tell(acknowledge)).toMatchObject({ envelope: null, entry: null });
    expect(told.state.seq).toBe(2);
  });

  it("[L-21.9] a handoff needs a target, an acknowledgement an id, and so many may be open", () => {
    const told = new Lifetime();
    expect(told.decide({ type: "hand_off", target: "", payload: null })).toMatchObject({
      ok: false,
      rejection: { code: "invalid_request", detail: "missing target pipeline argument" },
    });
    expect(told.decide({ type: "acknowledge_handoff", envelope_id: "", decision: null })).toMatchObject({
      ok: false,
      rejection: { detail: "missing envelope id" },
    });
    for (let n = 0; n < 200; n++) told.tell({ type: "hand_off", target: "t", payload: n });
    expect(told.decide({ type: "hand_off", target: "t", payload: null })).toMatchObject({
      ok: false,
      rejection: { code: "invalid_transition" },
    });
    told.tell({ type: "acknowledge_handoff", envelope_id: "envelope_7", decision: null });
    expect(told.tell({ type: "hand_off", target: "t", payload: null }).envelope?.envelope_id).toBe("envelope_202");
  });

  it("[L-21.1] the slot keeps the last handler and gives it once", () => {
    const told = new Lifetime();
    expect(told.tell({ type: "take_on_finish" }).on_finish).toBeNull();
    for (const handler of ["one", "two"]) told.tell({ type: "set_on_finish", on_finish: { handler, input: { a: 1 } } });
    expect(told.tell({ type: "take_on_finish" }).on_finish).toEqual({ handler: "two", input: { a: 1 } });
    expect(told.tell({ type: "take_on_finish" }).on_finish).toBeNull();
    expect(told.state.seq).toBe(0);
  });

  it("[L-21.6] an entry as a record has its kind, its number and its pipeline in the headers", () => {
    const entry = { seq: 7, kind: "note", payload: null, pipeline_id: null };
    expect(auditRecord(entry)).toEqual({
      kind: "lifecycle_audit",
      headers: { kind: "note", seq: "7" },
      payload: entry,
    });
    expect(auditRecord({ ...entry, pipeline_id: "run_1" }).headers).toEqual({
      kind: "note",
      seq: "7",
      pipeline_id: "run_1",
    });
    expect(pipelineIdOf({ session_id: "s", run_id: "run_1" })).toBe("run_1");
    expect(pipelineIdOf({ session_id: "s", run_id: null })).toBe("s");
    expect(pipelineIdOf(null)).toBeNull();
  });
});
