// A request to people (spec/workers 24), held by a waitpoint (spec/workers 25).
//
//   (none) --ask--> OPEN --respond--> ANSWERED | APPROVED | DENIED | ACCEPTED
//                   OPEN --expire, or a response that comes too late--> TIMED_OUT
//                   OPEN --cancel--> CANCELLED
//
// H1 Whatever has settled stays so: later responses are recorded and change nothing.
// H2 An approval needs so many different names; of listed reviewers only these count, and a denial without a name does not.
// H3 The deadline decides, not the alarm: what comes at or after it is too late even where nobody has noticed yet.
// H4 Asking again under the same id changes nothing.
// H5 Of responses that do not count no more than a bounded number is recorded.

import { type Context, type Decision, type Machine, reject } from "../machine.ts";
import { coerceTo, withDefaults } from "./answer-value.ts";
import { type Asked, quorumOf, reviewersOf } from "./asked.ts";
import { deadlineOfRequest, envelopeOf } from "./envelope.ts";
import { momentText } from "./moment.ts";
import { countResponse, type Electorate, type HitlResponse, NO_TALLY, reviewerIn } from "./response.ts";
import type { HitlCommand, HitlEvent, HitlReply, HitlRequest, HitlState } from "./state.ts";
import type { Asking } from "./envelope.ts";
import { cancelWaitpoint, completeWaitpoint, createWaitpoint } from "./waitpoint.ts";

type HitlDecision = Decision<HitlEvent, never, HitlReply, HitlState>;

const isVoted = ({ kind }: Asked): boolean => kind === "approval" || kind === "dual_control";

const electorateOf = (asked: Asked): Electorate => ({ quorum: quorumOf(asked), allowed: reviewersOf(asked) });

const asked = (asking: Asking): HitlRequest => {
  const { requested_at, kind, agent, trace_id, payload } = envelopeOf(asking);
  return {
    asking,
    deadline_ms: deadlineOfRequest(asking),
    status: "open",
    waitpoint: createWaitpoint(null, {
      id: asking.request_id,
      at: requested_at,
      metadata: { kind, agent, trace_id, requested_at, payload },
    }),
    tally: NO_TALLY,
    responses: 0,
    misfit: null,
    settled_at: null,
    executed: false,
  };
};

const valueOf = (request: HitlRequest, { answer = null }: HitlResponse) => {
  const { asked: question } = request.asking;
  if (question.kind !== "question") return answer;
  return question.schema === null ? coerceTo(question.default, answer) : withDefaults(question.schema, answer);
};

const answered = (request: HitlRequest, response: HitlResponse, misfit: string | null): HitlRequest => ({
  ...request,
  status: "answered",
  misfit,
  settled_at: response.responded_at,
  waitpoint: completeWaitpoint(request.waitpoint, {
    id: request.waitpoint.id,
    at: response.responded_at,
    by: reviewerIn(response),
    value: valueOf(request, response),
  }),
});

const accepted = (request: HitlRequest, response: HitlResponse): HitlRequest => {
  const { asking, waitpoint } = request;
  const reviewer = reviewerIn(response);
  const at = response.responded_at;
  const { role, reason } = asking.asked as Extract<Asked, { kind: "escalation" }>;
  const { request_id, trace_id } = asking;
  const value = { request_id, role, reason, trace_id, status: "accepted", accepted_at: at, reviewer };
  return {
    ...request,
    status: "accepted",
    settled_at: at,
    waitpoint: completeWaitpoint(waitpoint, { id: waitpoint.id, at, by: reviewer, value }),
  };
};

const responded = (before: HitlRequest, event: Extract<HitlEvent, { type: "responded" }>): HitlRequest => {
  const { response, misfit = null } = event;
  const request = { ...before, responses: before.responses + 1 };
  if (request.status !== "open") return request;
  const { asked: what } = request.asking;
  if (what.kind === "question") return answered(request, response, misfit);
  if (what.kind === "escalation") return response.accepted === true ? accepted(request, response) : request;
  const counted = countResponse(request.tally, electorateOf(what), response);
  return "tally" in counted ? { ...request, tally: counted.tally } : request;
};

type Settling = Extract<HitlEvent, { type: "approved" | "denied" | "timed_out" | "cancelled" }>;

const settled = (request: HitlRequest, event: Settling): HitlRequest => {
  if (request.status !== "open") return request;
  const { waitpoint } = request;
  const { id } = waitpoint;
  switch (event.type) {
    case "approved": {
      const { record } = event;
      const done = { id, at: record.approved_at, value: { ...record } as never };
      return {
        ...request,
        status: "approved",
        settled_at: record.approved_at,
        waitpoint: completeWaitpoint(waitpoint, done),
      };
    }
    case "denied": {
      const { reviewer, reason, at } = event;
      const called = cancelWaitpoint(waitpoint, { id, at, by: reviewer, reason });
      return { ...request, status: "denied", settled_at: at, waitpoint: called };
    }
    case "timed_out":
      return { ...request, status: "timed_out", settled_at: event.at };
    case "cancelled": {
      const called = cancelWaitpoint(waitpoint, { id, at: event.at, reason: event.reason });
      return { ...request, status: "cancelled", settled_at: event.at, waitpoint: called };
    }
  }
};

/** Folds an event into a request; total. */
export const evolveHitl = (state: HitlState, event: HitlEvent): HitlState => {
  if (event.type === "requested") return state ?? asked(event.asking);
  if (state === null) return null;
  if (event.type === "responded") return responded(state, event);
  if (event.type === "executed") return { ...state, executed: true };
  return settled(state, event);
};

/** A decision in the making. */
class Draft {
  readonly events: HitlEvent[] = [];
  state: HitlState;

  constructor(state: HitlState) {
    this.state = state;
  }

  emit(event: HitlEvent): void {
    this.events.push(event);
    this.state = evolveHitl(this.state, event);
  }

  decided(counted = false): HitlDecision {
    const { events, state } = this;
    return { ok: true, events, effects: [], reply: { status: state?.status ?? "open", counted }, state };
  }
}

/** Records that the deadline has passed, once. */
const expire = (draft: Draft, { now }: Context): void => {
  const { state } = draft;
  if (state?.status !== "open" || state.deadline_ms === null || state.deadline_ms > now) return;
  draft.emit({ type: "timed_out", at: momentText(now) });
};

/** Responses that change nothing are recorded up to so many, so that nobody can fill a journal with them. */
const MAX_RECORDED = 200;

const counts = ({ asking, tally }: HitlRequest, response: HitlResponse): boolean => {
  const { asked: what } = asking;
  if (what.kind === "question") return true;
  if (what.kind === "escalation") return response.accepted === true;
  return countResponse(tally, electorateOf(what), response).type !== "ignored";
};

/** What a response to an approval decides. */
const vote = (draft: Draft, { asking, tally }: HitlRequest, response: HitlResponse): void => {
  if (!isVoted(asking.asked)) return;
  const counted = countResponse(tally, electorateOf(asking.asked), response);
  if (counted.type === "approved") draft.emit({ type: "approved", record: counted.record });
  if (counted.type === "denied") {
    const { reviewer, reason } = counted;
    draft.emit({ type: "denied", reviewer, reason, at: response.responded_at });
  }
};

const respond = (state: HitlRequest, command: Extract<HitlCommand, { type: "respond" }>, context: Context) => {
  const draft = new Draft(state);
  expire(draft, context);
  const before = draft.state as HitlRequest;
  const { misfit = null } = command;
  const response: HitlResponse = {
    ...command.response,
    responded_at: command.response.responded_at ?? momentText(context.now),
  };
  const isCounted = before.status === "open" && counts(before, response);
  if (!isCounted && before.responses >= MAX_RECORDED) return draft.decided();
  draft.emit({ type: "responded", response, ...(misfit === null ? {} : { misfit }) });
  if (isCounted) vote(draft, before, response);
  return draft.decided(isCounted);
};

const decideExisting = (
  state: HitlRequest,
  command: Exclude<HitlCommand, { type: "ask" }>,
  context: Context,
): HitlDecision => {
  const draft = new Draft(state);
  switch (command.type) {
    case "respond":
      return respond(state, command, context);
    case "expire":
      expire(draft, context);
      return draft.decided();
    case "cancel":
      if (state.status === "open")
        draft.emit({ type: "cancelled", reason: command.reason, at: momentText(context.now) });
      return draft.decided();
    case "executed": {
      const { result } = command;
      if (state.status === "approved" && !state.executed)
        draft.emit({ type: "executed", ...(result === undefined ? {} : { result }) });
      return draft.decided();
    }
  }
};

/** The machine of one request to people (spec/workers 24). */
export const hitlMachine: Machine<HitlState, HitlCommand, HitlEvent, never, HitlReply> = {
  initial: null,
  evolve: evolveHitl,
  decide: (state, command, context) => {
    if (command.type === "ask") {
      const draft = new Draft(state);
      if (state === null) draft.emit({ type: "requested", asking: command.asking });
      return draft.decided();
    }
    if (state !== null) return decideExisting(state, command, context);
    const id = command.type === "respond" ? command.response.request_id : "";
    return reject("approval_not_found", `missing HITL request envelope for '${id}'`);
  },
};
