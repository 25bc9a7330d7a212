import type { Json } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import { lifecycleMachine } from "../finish/machine.ts";
import type { FinishCommand } from "../finish/finishing.ts";
import type { Finishing } from "../finish/state.ts";
import { reject } from "../machine.ts";
import { decided, refused, type RunDecision } from "./decision.ts";
import type { Draft } from "./draft.ts";
import { failRun, finalize } from "./finish.ts";
import { orderFinish } from "./finish-order.ts";
import { isTerminal, type Run } from "./state.ts";

/** How long an attempt may take before it counts as lost; a consumer has as long. */
const FINISH_MS = 15 * 60_000;

/** An attempt that is lost so often is not made again. */
const MAX_ATTEMPTS = 3;

const audit = (draft: Draft, kind: string, payload: Json): void => {
  const { lifecycle, run_id } = draft.run;
  const command = { type: "emit_audit", kind, payload, pipeline_id: run_id } as const;
  const decision = lifecycleMachine.decide(lifecycle, command, draft.context);
  if (decision.ok) for (const event of decision.events) draft.emit(event);
};

const stale = (run: Run, token: string, begun: boolean): boolean => {
  const { finishing } = run.lifecycle;
  return isTerminal(run.status) || finishing?.attempt_token !== token || finishing.begun !== begun;
};

const STALE = "the attempt token is not the current one: stop working on the end of this run";

/** What is done at the end is begun by one, and ended by the same (spec/workers 21.2). */
export const finishRun = (draft: Draft, command: FinishCommand): RunDecision => {
  if (stale(draft.run, command.attempt_token, command.type === "end_finish")) return reject("stale_attempt", STALE);
  const { finishing } = draft.run.lifecycle;
  if (finishing === null) return refused({ code: "stale_attempt", detail: STALE });
  if (command.type === "begin_finish") draft.emit({ type: "finish_begun", deadline_ms: draft.context.now + FINISH_MS });
  else endFinish(draft, finishing, command.outcome);
  return decided(draft, { type: "finishing", finishing: draft.run.lifecycle.finishing });
};

type Outcome = Extract<FinishCommand, { readonly type: "end_finish" }>["outcome"];

/** An error is that of the run; else the run ends, unless it was paused meanwhile and goes on later (spec/workers 21.2). */
const endFinish = (draft: Draft, { on_finish: { handler }, attempt }: Finishing, outcome: Outcome): void => {
  if ("error" in outcome) {
    audit(draft, "on_finish_errored", { handler, attempt, error: outcome.error });
    failRun(draft, { detail: `on_finish ${handler} failed: ${outcome.error}` });
    return;
  }
  draft.emit({ type: "finish_ended", return_value: outcome.return_value });
  audit(draft, "on_finish_completed", { handler, attempt });
  const { status, open, ready } = draft.run;
  if (status === "running" && open.length === 0 && ready.length === 0) finalize(draft);
};

/** True when the current attempt at the end of a run is lost. */
export const finishIsLate = ({ status, lifecycle: { finishing } }: Run, now: Timestamp): boolean =>
  status === "running" && finishing !== null && finishing.deadline_ms <= now;

/** Orders again what nobody has begun, and another attempt for a lost one; after a few the run has failed. */
export const repeatFinish = (draft: Draft): void => {
  const { finishing } = draft.run.lifecycle;
  if (finishing === null) return;
  const { on_finish, attempt, begun } = finishing;
  if (!begun) orderFinish(draft, on_finish, attempt);
  else if (attempt < MAX_ATTEMPTS) orderFinish(draft, on_finish, attempt + 1);
  else
    failRun(draft, { detail: `Error [timeout]: on_finish ${on_finish.handler} gave no answer in ${attempt} attempts` });
};
