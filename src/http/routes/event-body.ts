import { isBodyStale } from "../../schema/trigger-body.ts";
import { deliveredBody } from "../delivery-body.ts";
import { problem } from "../problem.ts";
import type { Router } from "../router.ts";
import { triggerObject } from "../trigger-object.ts";
import { findRecentEvent } from "../recent-event.ts";

/** The bytes of a delivery, for replay and for whoever has to verify its signature again (spec/triggers 26.2). */
export const addEventBodyRoutes = (router: Router): void => {
  router.add(
    {
      method: "get",
      tag: "Events",
      access: "triggers",
      path: "/v1/events/{event_id}/body",
      operation: "get_event_body",
      summary: "Get the body of an event's delivery, byte by byte",
      description:
        "With the content type it came with if that was JSON or a form, else as `application/octet-stream`. Kept for the trigger's `body_retention_days`.",
      reply: { status: 200, description: "The bytes as they were received" },
      problems: ["event_not_found", "body_not_found"],
    },
    async ({ params, call }) => {
      const { event_id: eventId } = params;
      const row = await findRecentEvent(call, eventId);
      const found =
        row === null
          ? null
          : await triggerObject(call.env, call.tenant, row.trigger_id, row.shard ?? null).event(
              row.dedupe_key,
              eventId,
            );
      if (found === null) return problem("event_not_found", `there is no event ${eventId}`);
      const { body_retention_days } = found.definition;
      const isStale = isBodyStale({ received_at: found.received_at, body_retention_days }, Date.now());
      const body = isStale ? null : await deliveredBody(call.env, call.tenant, found.event);
      if (body === null) {
        return problem(
          "body_not_found",
          `the body of ${eventId} is not kept; see \`body_retention_days\` of its trigger`,
        );
      }
      return new Response(body.bytes as BodyInit, {
        headers: {
          "Content-Type": body.content_type,
          "Content-Length": String(body.size),
          "Content-Disposition": "attachment",
        },
      });
    },
  );
};
