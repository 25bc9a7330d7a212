import type { JsonObject } from "../../lib/json.ts";
import type { AskedSuspension } from "../../schema/resume-conditions.ts";
import type { Message } from "../transcript/message.ts";
import { sessionExists } from "../transcript/session.ts";
import { endAttempt } from "./attempts.ts";
import type { ControlRun } from "./command.ts";
import type { Draft } from "./draft.ts";
import type { PreparedStage, Run } from "./state.ts";
import { isExecutable } from "./unit.ts";

/** True for a unit that a driver is executing; one of a caller outside is that caller's business. */
const isUnderWay = (unit: PreparedStage): boolean =>
  isExecutable(unit) && unit.retry_at_ms === null && unit.mode !== "external";

/** The cycle of its worker for which a run is suspended and all its drivers have come to a boundary; null for none (spec/workers 32.4). */
export const restedCycle = (run: Run): number | null => {
  const { report_to: to, status, suspended, open } = run;
  if (to === null || !("worker_id" in to)) return null;
  return status === "paused" && suspended === true && !open.some(isUnderWay) ? to.cycle : null;
};

/** Attempts that a suspended run waits for. */
export const unitsToRest = (run: Run): readonly PreparedStage[] =>
  run.status === "paused" && run.suspended === true ? run.open.filter(isUnderWay) : [];

/**
 * Suspends the run of a worker's cycle because its agent asks for it; the worker learns of it when the run has come to rest
 * (spec/workers 17.7). What is suspended already stays so for the reason it was.
 */
export const askSuspension = (draft: Draft, asked: AskedSuspension): void => {
  const { report_to: to, suspended } = draft.run;
  if (to === null || !("worker_id" in to) || suspended === true) return;
  draft.emit({ type: "run_paused", reason: "suspended", suspend: true, asked });
  draft.index();
};

/** Ends the attempt of an agent in order, behind the step it has just recorded: the next one goes on from there. */
export const restAfterStep = (draft: Draft, unit: PreparedStage): void => {
  const { run, context } = draft;
  if (run.status === "paused" && run.suspended === true)
    endAttempt(draft, unit, { reason: "suspended", error: null, retry_at_ms: context.now });
};

/** Ends an attempt on its way from one driver to the next: of a suspended run nobody takes it over. */
export const restAdopted = (draft: Draft, token: string | undefined): void => {
  const unit = unitsToRest(draft.run).find(({ attempt_token }) => attempt_token === token);
  if (unit !== undefined) restAfterStep(draft, unit);
};

/** Ends attempts of a suspended run whose drivers were lost: nobody will ever tell that they have stopped. */
export const restLost = (draft: Draft, liveAttempts: readonly string[]): void => {
  for (const unit of unitsToRest(draft.run))
    if (!liveAttempts.includes(unit.attempt_token))
      endAttempt(draft, unit, {
        reason: "lease_expired",
        error: "the lease of the attempt expired",
        retry_at_ms: draft.context.now,
      });
};

/** What the agents of a resumed run hear first, in the conversations that are open (spec/workers 17.5, 17.6). */
export const speak = (draft: Draft, { digest, speech = [] }: Extract<ControlRun, { type: "resume_run" }>): void => {
  if (digest === undefined && speech.length === 0) return;
  const said: readonly JsonObject[] = digest == null ? speech : [{ role: "user", content: digest }, ...speech];
  const { open, sessions } = draft.run;
  const ids = new Set(open.flatMap(({ session_id: id, loop }) => (id === null || loop === null ? [] : [id])));
  for (const session_id of ids) {
    if (!sessionExists(sessions, session_id)) continue;
    if (digest !== undefined) draft.emit({ type: "session_reset", session_id });
    if (said.length > 0)
      draft.emit({ type: "session_messages_added", session_id, messages: said as readonly Message[] });
  }
};
