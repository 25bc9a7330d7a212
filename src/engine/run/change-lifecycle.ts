import { reject } from "../machine.ts";
import type { LifecycleRequest } from "../finish/command.ts";
import { lifecycleMachine } from "../finish/machine.ts";
import { decided, type RunDecision } from "./decision.ts";
import type { Draft } from "./draft.ts";

/** The commands that concern what a run leaves behind. */
export const isLifecycleRequest = (command: { readonly type: string }): command is LifecycleRequest =>
  LIFECYCLE.has(command.type);

const LIFECYCLE: ReadonlySet<string> = new Set([
  "emit_audit",
  "hand_off",
  "acknowledge_handoff",
  "set_disposition",
] satisfies LifecycleRequest["type"][]);

/** Audits, hands on or decides, also when the run is over (spec/workers 21.6 to 21.8). */
export const changeLifecycle = (draft: Draft, command: LifecycleRequest): RunDecision => {
  const { lifecycle, run_id } = draft.run;
  const decision = lifecycleMachine.decide(lifecycle, { ...command, pipeline_id: run_id }, draft.context);
  if (!decision.ok) return reject(decision.rejection.code, decision.rejection.detail);
  for (const event of decision.events) draft.emit(event);
  return decided(draft, { type: "lifecycle", outcome: decision.reply });
};
