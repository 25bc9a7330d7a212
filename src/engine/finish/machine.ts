import type { Json } from "../../lib/json.ts";
import { type Context, type Decision, type Machine, reject } from "../machine.ts";
import type { LifecycleCommand, LifecycleEvent, LifecycleOutcome } from "./command.ts";
import { type AuditEntry, type Lifecycle, NEW_LIFECYCLE, type PartialHandoff } from "./state.ts";

/*
 * What a run leaves behind: its audit, its handoffs, its disposition.
 *
 *   hand_off --> open --acknowledge_handoff--> gone, with an audit entry
 *
 * 1. Audit entries and handoffs share one count that never goes back (spec/workers 21.6, 21.7).
 * 2. A handoff is acknowledged once; an unknown id changes nothing and takes no number.
 * 3. The newest disposition counts; each one is audited (spec/workers 21.8).
 */

/** Open handoffs are held in memory: more are refused. */
const MAX_OPEN_HANDOFFS = 200;

type LifecycleDecision = Decision<LifecycleEvent, never, LifecycleOutcome>;

const NOTHING: LifecycleOutcome = { entry: null, envelope: null, on_finish: null };

const decided = (event: LifecycleEvent, outcome: Partial<LifecycleOutcome>): LifecycleDecision => ({
  ok: true,
  events: [event],
  effects: [],
  reply: { ...NOTHING, ...outcome },
});

const unchanged: LifecycleDecision = { ok: true, events: [], effects: [], reply: NOTHING };

const entryFor = (state: Lifecycle, command: LifecycleCommand, kind: string, payload: Json): AuditEntry => ({
  seq: state.seq + 1,
  kind,
  payload,
  pipeline_id: command.pipeline_id,
});

const handOff = (
  state: Lifecycle,
  command: LifecycleCommand & { readonly type: "hand_off" },
  { now }: Context,
): LifecycleDecision => {
  if (command.target === "") return reject("invalid_request", "missing target pipeline argument");
  if (state.handoffs.length >= MAX_OPEN_HANDOFFS)
    return reject("invalid_transition", `${MAX_OPEN_HANDOFFS} handoffs are open: acknowledge some first`);
  const seq = state.seq + 1;
  const handoff: PartialHandoff = {
    envelope_id: `envelope_${seq}`,
    seq,
    target_pipeline: command.target,
    origin_pipeline: command.pipeline_id,
    payload: command.payload,
    queued_at_ms: now,
  };
  return decided({ type: "handoff_recorded", handoff }, { envelope: handoff });
};

const acknowledge = (
  state: Lifecycle,
  command: LifecycleCommand & { readonly type: "acknowledge_handoff" },
): LifecycleDecision => {
  const { envelope_id, decision } = command;
  if (envelope_id === "") return reject("invalid_request", "missing envelope id");
  const envelope = state.handoffs.find((handoff) => handoff.envelope_id === envelope_id);
  if (envelope === undefined) return unchanged;
  const entry = entryFor(state, command, "handoff_acknowledged", { envelope_id, decision });
  return decided({ type: "handoff_acknowledged", envelope_id, entry }, { envelope, entry });
};

const decide = (state: Lifecycle, command: LifecycleCommand, context: Context): LifecycleDecision => {
  switch (command.type) {
    case "emit_audit": {
      const entry = entryFor(state, command, command.kind, command.payload);
      return decided({ type: "audit_recorded", entry }, { entry });
    }
    case "hand_off":
      return handOff(state, command, context);
    case "acknowledge_handoff":
      return acknowledge(state, command);
    case "set_disposition": {
      const { disposition } = command;
      const entry = entryFor(state, command, "pipeline_finalized", { disposition });
      return decided({ type: "disposition_set", disposition, entry }, { entry });
    }
    case "set_on_finish":
      return decided({ type: "on_finish_set", on_finish: command.on_finish }, { on_finish: command.on_finish });
    case "take_on_finish":
      return state.on_finish === null
        ? unchanged
        : decided({ type: "on_finish_taken" }, { on_finish: state.on_finish });
  }
};

const evolve = (state: Lifecycle, event: LifecycleEvent): Lifecycle => {
  switch (event.type) {
    case "audit_recorded":
      return { ...state, seq: event.entry.seq };
    case "handoff_recorded":
      return { ...state, seq: event.handoff.seq, handoffs: [...state.handoffs, event.handoff] };
    case "handoff_acknowledged":
      return {
        ...state,
        seq: event.entry.seq,
        handoffs: state.handoffs.filter(({ envelope_id }) => envelope_id !== event.envelope_id),
      };
    case "disposition_set":
      return { ...state, seq: event.entry.seq, disposition: event.disposition };
    case "on_finish_set":
      return { ...state, on_finish: event.on_finish };
    case "on_finish_taken":
      return { ...state, on_finish: null };
  }
};

/** The machine of what a run leaves behind (spec/workers 21). */
export const lifecycleMachine: Machine<Lifecycle, LifecycleCommand, LifecycleEvent, never, LifecycleOutcome> = {
  initial: NEW_LIFECYCLE,
  decide,
  evolve,
};
