import type { OnFinish } from "../finish/state.ts";
import type { Draft } from "./draft.ts";

/** How long somebody may take to begin with what was ordered. */
const BEGIN_MS = 60_000;

/** Orders an attempt at what is done at the end. */
export const orderFinish = (draft: Draft, on_finish: OnFinish, attempt: number): void => {
  const attempt_token = draft.context.nextId("attempt");
  const deadline_ms = draft.context.now + BEGIN_MS;
  draft.emit({ type: "finish_ordered", on_finish, attempt, attempt_token, deadline_ms });
  draft.effects.push({ type: "finish", run_id: draft.run.run_id, attempt_token });
};

/**
 * True while something is to be done before the run ends: with the queue empty the slot is taken, once, and the run ends when
 * that is done (spec/workers 21.1, 21.2). A replay calls nothing.
 */
export const mustFinish = (draft: Draft): boolean => {
  const { lifecycle, replay } = draft.run;
  if (lifecycle.finishing !== null) return true;
  if (lifecycle.on_finish === null || replay !== null) return false;
  const { on_finish } = lifecycle;
  draft.emit({ type: "on_finish_taken" });
  orderFinish(draft, on_finish, 1);
  return true;
};
