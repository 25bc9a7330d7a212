import type { Answer } from "../../engine/machine.ts";
import type { EventAnswer } from "../../../durable-objects/trigger.ts";
import { uuidIds } from "../../ports/ids.ts";
import { approveEventSchema, cancelEventSchema } from "../../schema/api-event-control.ts";
import { type EventView, eventViewSchema } from "../../schema/trigger-event.ts";
import type { Call } from "../call.ts";
import { carriedOut } from "../carry-out.ts";
import { claimOnce } from "../idempotency.ts";
import { eventReplaced, foundEvent, type FoundEvent } from "../found-event.ts";
import { fromRejection } from "../problem.ts";
import { done, type Outcome, type Router } from "../router.ts";

const reply = { status: 200, description: "The event", name: "TriggerEventRecord", schema: eventViewSchema } as const;

const shown = async ({ address, object }: FoundEvent): Promise<Outcome<EventView>> => {
  const event = await object().event(address.key, address.event_id);
  return event === null ? eventReplaced(address.event_id) : done(event);
};

const settled = async (call: Call, found: FoundEvent, answer: Answer<EventAnswer>): Promise<Outcome<EventView>> => {
  if (!answer.ok) return fromRejection(answer.rejection);
  await carriedOut(call, answer.reply);
  return shown(found);
};

const addCancel = (router: Router): void => {
  router.add(
    {
      method: "post",
      tag: "Events",
      access: "triggers",
      path: "/v1/events/{event_id}/cancel",
      operation: "cancel_event",
      summary: "Stop the dispatch of an event",
      description:
        "Wherever it waits it ends at once; a handler at work is told to stop, and a run that handles it is cancelled.",
      body: { name: "CancelEvent", schema: cancelEventSchema, optional: true },
      reply,
      problems: ["event_not_found", "event_settled", "idempotency_key_reused"],
    },
    async ({ params, body, call }) => {
      const { event_id: eventId } = params;
      const found = await foundEvent(call, eventId);
      if (!found.ok) return found.error;
      const names = { audit_id: uuidIds("trigger_audit") };
      const claimed = await claimOnce(call, "cancel_event", { event_id: eventId, ...body }, names);
      if (!claimed.ok) return claimed.error;
      const { address, object } = found.value;
      const before = await object().event(address.key, eventId);
      if (before === null) return eventReplaced(eventId);
      // The same request again: what it asked for is done.
      if (before.cancel?.audit_id === claimed.value.audit_id) return done(before);
      const { requested_by = null, reason } = body;
      const why = reason === undefined ? {} : { reason };
      const answer = await object().cancel(address.key, { requested_by, ...claimed.value, ...why });
      return settled(call, found.value, answer);
    },
  );
};

const addApprove = (router: Router): void => {
  router.add(
    {
      method: "post",
      tag: "Events",
      access: "approvals",
      path: "/v1/events/{event_id}/approve",
      operation: "approve_event",
      summary: "Answer what is asked before an event is handled",
      description: "Approved, the event goes on; denied, it is skipped. The first answer counts.",
      body: { name: "ApproveEvent", schema: approveEventSchema },
      reply,
      problems: ["event_not_found", "approval_not_found", "approval_decided"],
    },
    async ({ params, body, call }) => {
      const found = await foundEvent(call, params.event_id);
      if (!found.ok) return found.error;
      const { approved, reviewer = null, reason = null } = body;
      const { address, object } = found.value;
      const answer = await object().respond(address.key, { approved, reviewer, reason });
      if (!answer.ok && call.idempotency_key !== null) {
        // The same request again: what it asked for is done.
        const decided = await object().event(address.key, address.event_id);
        const { decision = null } = decided?.approval ?? {};
        const isSame = decision?.approved === approved && decision.reviewer === reviewer && decision.reason === reason;
        if (decided !== null && isSame) return done(decided);
      }
      return settled(call, found.value, answer);
    },
  );
};

/** What people decide about single events (spec/triggers 9.5, 13.1). */
export const addEventControlRoutes = (router: Router): void => {
  addCancel(router);
  addApprove(router);
};
