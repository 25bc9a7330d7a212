import { reject } from "../machine.ts";
import { responseFlaw } from "../hitl/flaw.ts";
import type { AnswerRequest } from "./command.ts";
import { recordExecuted } from "./complete-stage.ts";
import { decided, refused, type RunDecision } from "./decision.ts";
import type { Draft } from "./draft.ts";
import { goOn } from "./finish.ts";
import { openById } from "./open.ts";
import { executedByPeople } from "./person-result.ts";
import { tellRequest } from "./request-log.ts";
import { requestView } from "./request-view.ts";
import { isTerminal, type RunRequest } from "./state.ts";

/** Takes what people decided into the stage that waited for it; says whether the run can go on with it. */
const settleStage = (draft: Draft, id: string): boolean => {
  const { stage_id, request } = draft.run.requests.get(id) as RunRequest;
  const unit = openById(draft.run, stage_id);
  if (unit?.work.type !== "person" || unit.settled !== null || request.status === "open") return false;
  // What was released is carried out by a driver.
  if (request.status === "approved" && unit.work.handler !== null) return true;
  recordExecuted(draft, unit, { executed: executedByPeople(draft, unit, request), handed_in: {} });
  return true;
};

/** Ends a request whose time is over, and the stage that waited for it (spec/workers 24.3, 24.4). */
export const expireRequest = (draft: Draft, id: string): void => {
  const known = draft.run.requests.get(id) as RunRequest;
  tellRequest(draft, { request_id: id, stage_id: known.stage_id }, { type: "expire" });
  settleStage(draft, id);
};

/**
 * A person answers a request of the run (spec/workers 24.5). The answer is recorded also where it comes too late or does not
 * count; a run that is over takes none.
 */
export const answerRequest = (draft: Draft, { response, misfit = null }: AnswerRequest): RunDecision => {
  const { run } = draft;
  const { request_id: id } = response;
  const known = run.requests.get(id);
  if (known === undefined) return reject("approval_not_found", `missing HITL request envelope for '${id}'`);
  if (isTerminal(run.status))
    return reject("approval_decided", `run ${run.run_id} is ${run.status}: nothing waits for an answer to ${id}`);
  const flaw = known.request.status === "open" ? (responseFlaw(known.request, response) ?? misfit) : null;
  if (flaw !== null) return reject("invalid_request", flaw);
  const told = tellRequest(draft, { request_id: id, stage_id: known.stage_id }, { type: "respond", response });
  if ("code" in told) return refused(told);
  if (settleStage(draft, id)) goOn(draft);
  const request = requestView(draft.run.requests.get(id) as RunRequest);
  return decided(draft, { type: "answered", request, counted: told.counted });
};
