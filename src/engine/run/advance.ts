import type { Rejection } from "../machine.ts";
import type { Advance, AdvanceReply } from "./command.ts";
import { completeStage, retryStage } from "./complete-stage.ts";
import type { Draft } from "./draft.ts";
import { completedReply } from "./finish.ts";
import type { Run } from "./state.ts";
import { isExecutable } from "./unit.ts";
import { granted, nextWork } from "./walk.ts";

/**
 * One step of the driver's loop in one commit: complete, transitions, checkpoint, next prepare (architecture 3).
 *
 * A refused completion refuses the whole step.
 */
export const advance = (draft: Draft, command: Advance): AdvanceReply | Rejection => {
  const { complete } = command;
  if (complete === undefined) return nextWork(draft, command);
  if (retryStage(draft, complete)) return nextWork(draft, command);
  const before = draft.run;
  const completed = completeStage(draft, complete);
  if (completed.type === "rejected") return completed.rejection;
  if (completed.type === "parked") return nextWork(draft, command);
  const stage = command.report === true ? { stage: completedReply(draft, completed.completion) } : {};
  const answer = regranted(draft, command) ?? nextWork(draft, command);
  return { ...answer, ...cancelledSince(before, draft.run), ...stage };
};

/**
 * The plan that this very completion has led to before, for a driver that lost the answer (I5). An external stage that
 * somebody has taken meanwhile is that one's.
 */
const regranted = (draft: Draft, { complete, holder = "driver" }: Advance): AdvanceReply | null => {
  // A map is opened by the same completion as its first branch, and so is whatever else needs no executor.
  const unit = draft.run.open.find((open) => open.granted_by === complete?.attempt_token && isExecutable(open));
  if (unit === undefined || unit.attempt !== 1 || unit.retry_at_ms !== null) return null;
  if (unit.holder !== holder) return null;
  return granted(draft, unit);
};

/** Attempts of branches that their map no longer waits for: whoever executes them may stop. */
const cancelledSince = (before: Run, after: Run): Pick<AdvanceReply, "cancelled"> => {
  const gone = before.open.filter(
    (unit) =>
      unit.branch_of !== null &&
      !after.open.some((open) => open.stage_id === unit.stage_id) &&
      !after.completions.has(unit.attempt_token),
  );
  return gone.length === 0 ? {} : { cancelled: gone.map((unit) => unit.attempt_token) };
};
