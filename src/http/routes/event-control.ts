import { uuidIds } from "../../ports/ids.ts";
import { approveEventSchema, cancelEventSchema } from "../../schema/api-event-control.ts";
import { eventViewSchema } from "../../schema/trigger-event.ts";
import { answerApproval, settledEvent } from "../answer-approval.ts";
import { claimOnce } from "../idempotency.ts";
import { eventReplaced, foundEvent } from "../found-event.ts";
import { done, type Router } from "../router.ts";

const reply = { status: 200, description: "The event", name: "TriggerEventRecord", schema: eventViewSchema } as const;

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
      return settledEvent(call, found.value, answer);
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
    ({ params, body, call }) => answerApproval(call, params.event_id, body),
  );
};

/** What people decide about single events (spec/triggers 9.5, 13.1). */
export const addEventControlRoutes = (router: Router): void => {
  addCancel(router);
  addApprove(router);
};
