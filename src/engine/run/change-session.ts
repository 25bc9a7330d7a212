import { reject } from "../machine.ts";
import type { SessionCommand } from "../transcript/command.ts";
import { decideSession } from "../transcript/decide-session.ts";
import { decided, refused, type RunDecision } from "./decision.ts";
import type { Draft } from "./draft.ts";
import { isTerminal } from "./state.ts";

/** Carries out an operation on a session of the run (spec/workflow 14.3); a run that is over keeps them as they are. */
export const changeSession = (draft: Draft, command: SessionCommand): RunDecision => {
  const { run, context } = draft;
  if (isTerminal(run.status)) {
    const detail = `run ${run.run_id} is ${run.status}: its sessions cannot be changed any more`;
    return refused(reject("invalid_transition", detail).rejection);
  }
  const decision = decideSession(run.sessions, command, context);
  if (!decision.ok) return refused(decision.error);
  for (const event of decision.value.events) draft.emit(event);
  return decided(draft, decision.value.reply);
};
