import type { Hear } from "./command.ts";
import { recordResult } from "./complete-stage.ts";
import { decided, type RunDecision } from "./decision.ts";
import type { Draft } from "./draft.ts";
import { goOn } from "./finish.ts";
import { openById } from "./open.ts";
import { isTerminal } from "./state.ts";
import { heardResult } from "./waits.ts";

/** A message for a stage that waits: it completes the stage, once; a repetition changes nothing. */
export const hear = (draft: Draft, { stage_id: stageId, message }: Hear): RunDecision => {
  const { run } = draft;
  const unit = openById(run, stageId);
  if (run.heard.get(stageId) === message.seq) return decided(draft, { type: "heard", accepted: true });
  if (isTerminal(run.status) || unit?.work.type !== "wait" || unit.settled !== null)
    return decided(draft, { type: "heard", accepted: false });
  draft.emit({ type: "message_heard", stage_id: stageId, seq: message.seq });
  recordResult(draft, unit, heardResult(message));
  goOn(draft);
  return decided(draft, { type: "heard", accepted: true });
};
