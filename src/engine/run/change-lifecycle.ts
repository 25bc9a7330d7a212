import { reject } from "../machine.ts";
import type { LifecycleRequest } from "../finish/command.ts";
import { lifecycleMachine } from "../finish/machine.ts";
import { decided, type RunDecision } from "./decision.ts";
import type { Draft } from "./draft.ts";
import { isTerminal } from "./state.ts";

/** The commands that concern what a run leaves behind. */
export const isLifecycleRequest = (command: { readonly type: string }): command is LifecycleRequest =>
  LIFECYCLE.has(command.type);

const LIFECYCLE: ReadonlySet<string> = new Set([
  "emit_audit",
  "hand_off",
  "acknowledge_handoff",
  "set_disposition",
  "set_on_finish",
] satisfies LifecycleRequest["type"][]);

/** Audits, hands on or decides, also when the run is over; what is done at its end is said before that (spec/workers 21). */
export const changeLifecycle = (draft: Draft, command: LifecycleRequest): RunDecision => {
  const { lifecycle, run_id, status } = draft.run;
  if (command.type === "set_on_finish" && (isTerminal(status) || lifecycle.finishing !== null))
    return reject("invalid_transition", `run ${run_id} has come to its end: what is done there is settled`);
  const decision = lifecycleMachine.decide(lifecycle, { ...command, pipeline_id: run_id }, draft.context);
  if (!decision.ok) return reject(decision.rejection.code, decision.rejection.detail);
  for (const event of decision.events) draft.emit(event);
  return decided(draft, { type: "lifecycle", outcome: decision.reply });
};
