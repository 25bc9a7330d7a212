import { standardSchema } from "../engine/hitl/answer-value.ts";
import { baseOfRequest, kindOfRequest } from "../engine/hitl/kind.ts";
import type { LoggedRequest } from "../engine/run/request-view.ts";
import { schemaErrors } from "../executor/json-schema.ts";
import { isObject, type Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { ApprovalView, RespondRequest } from "../schema/api-approval.ts";
import type { EventView } from "../schema/trigger-event.ts";
import { answerApproval, askedAbout } from "./answer-approval.ts";
import { askedOfEvent } from "./approval-list.ts";
import type { Call } from "./call.ts";
import { foundEvent } from "./found-event.ts";
import { keyOf } from "./idempotency.ts";
import { invalid, problem, type Problem } from "./problem.ts";
import { done, type Outcome } from "./router.ts";
import { replyOf, runObject } from "./run-object.ts";

/** Where an answer came in. */
export type Via = "api" | "link";

/** What a person is asked: by a run, or about an event. */
export interface FoundAsked {
  readonly view: ApprovalView;
  /** Where its run or its event is found again without a list. */
  readonly key: string;
}

const notFound = (id: string): Problem =>
  problem("approval_not_found", `nothing waits for an answer to ${id}; GET /v1/approvals lists what does`);

const ofRun = ({ prompt, approvers, metadata, timestamp, ...view }: LoggedRequest): ApprovalView => ({
  ...view,
  prompt,
  approvers,
  metadata,
  timestamp,
  id: view.request_id,
  source: "run",
  event_id: null,
  trigger_id: null,
  title: prompt,
  reason: "",
  detail: metadata,
  reviewers: approvers,
  requested_at: timestamp,
});

const ofEvent = (event: EventView): ApprovalView | null => {
  const { approval } = event;
  if (approval === null) return null;
  const { decision } = approval;
  const isOpen = decision === null && event.status === "waiting";
  const decided = decision === null ? "cancelled" : decision.approved ? "approved" : "denied";
  return {
    ...askedOfEvent(event, approval),
    status: isOpen ? "open" : decided,
    deadline: null,
    settled_at: decision?.at ?? null,
    approvers_required: 1,
    approved_by: decision?.approved === true && decision.reviewer !== null ? [decision.reviewer] : [],
    outcome: decision === null ? null : { value: { ...decision } },
  };
};

/** The id of a run's request: it names the run, so that no list has to be asked (spec/workers 24.2). */
const runOf = (id: string): string | null => (kindOfRequest(id).ok ? baseOfRequest(id) : null);

/** What is asked under an id of either sort, as its owner has it now. */
export const findAsked = async (
  call: Pick<Call, "env" | "tenant">,
  id: string,
): Promise<Result<FoundAsked, Problem>> => {
  const runId = runOf(id);
  if (runId !== null) {
    const view = await runObject(call.env, call.tenant, runId).asked(id, true);
    return view === null ? err(notFound(id)) : ok({ view: ofRun(view), key: id });
  }
  const eventId = await askedAbout(call, id);
  if (eventId === null) return err(notFound(id));
  const found = await foundEvent(call, eventId);
  if (!found.ok) return found;
  const { address, object } = found.value;
  const event = await object().event(address.key, address.event_id);
  const view = event === null ? null : ofEvent(event);
  return view === null ? err(notFound(id)) : ok({ view, key: eventId });
};

/** What a question's schema says against an answer; null for nothing. */
export const misfitOf = (
  { request_kind, metadata }: Pick<ApprovalView, "request_kind" | "metadata">,
  answer: Json | undefined,
): string | null => {
  const schema = standardSchema(metadata["schema"] ?? null);
  if (request_kind !== "question" || answer === undefined || !isObject(schema)) return null;
  const [first] = schemaErrors(schema, answer);
  return first === undefined ? null : `answer does not match the question's schema: ${first}`;
};

const answerRun = async (
  call: Call,
  { id, runId }: { readonly id: string; readonly runId: string },
  { body, via }: { readonly body: RespondRequest; readonly via: Via },
): Promise<Outcome<ApprovalView>> => {
  const run = () => runObject(call.env, call.tenant, runId);
  const asked = await run().asked(id);
  if (asked === null) return notFound(id);
  const response = { request_id: id, ...body, metadata: { via } };
  const key = keyOf(call, `respond ${id}`, body);
  const misfit = misfitOf(asked, body.answer);
  const answer = await run().request({ type: "answer_request", response, misfit }, key);
  const reply = replyOf(answer, "answered");
  if (!reply.ok) return reply.problem;
  const { request, counted } = reply.reply;
  if (counted || request.status === "open") return done(ofRun(request));
  return problem("approval_decided", `${id} was ${request.status.replace("_", " ")} before this answer came`, {
    status: request.status,
  });
};

/** Answers what is asked under an id of either sort; whatever has settled stays so (spec/workers 24.5, spec/triggers 9.5). */
export const answerAsked = async (
  call: Call,
  id: string,
  answer: { readonly body: RespondRequest; readonly via: Via },
): Promise<Outcome<ApprovalView | EventView>> => {
  const runId = runOf(id);
  if (runId !== null) return answerRun(call, { id, runId }, answer);
  const { approved, reviewer, reason } = answer.body;
  if (approved === undefined)
    return invalid([{ path: "approved", message: "an event takes `approved`, true or false" }]);
  const eventId = await askedAbout(call, id);
  return eventId === null ? notFound(id) : answerApproval(call, eventId, { approved, reviewer, reason });
};
