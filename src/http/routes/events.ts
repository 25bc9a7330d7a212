import { eventPageSchema, eventQuery, eventViewSchema } from "../../schema/trigger-event.ts";
import { eventPosition, listEvents } from "../event-rows.ts";
import { CURSOR_ISSUE, decodeCursor, pageFrom } from "../page.ts";
import { invalid, problem } from "../problem.ts";
import { findRecentEvent } from "../recent-event.ts";
import { done, type Router } from "../router.ts";
import { triggerObject } from "../trigger-object.ts";

const shared = { tag: "Events", access: "triggers" } as const;

/** Accepted events: the list may lag, a single event is read from its trigger. */
export const addEventRoutes = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/events",
      operation: "list_events",
      summary: "List events, newest first",
      description: "The list may lag a few seconds behind. Events that wait for their dispatch are shown oldest first.",
      query: eventQuery,
      reply: { status: 200, description: "A page", name: "TriggerEventPage", schema: eventPageSchema },
    },
    async ({ query, call }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor, 2);
      if (after === null && query.cursor !== undefined) return invalid([CURSOR_ISSUE]);
      const rows = await listEvents(call.env.DB, call.tenant, query, { after, now: Date.now() });
      return done(pageFrom(rows, query.limit, eventPosition));
    },
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/events/{event_id}",
      operation: "get_event",
      summary: "Get an event with its verdicts, attempts and runs",
      description: "One that was accepted a moment ago is waited for: the list by which it is found lags.",
      reply: { status: 200, description: "The event", name: "TriggerEventRecord", schema: eventViewSchema },
      problems: ["event_not_found"],
    },
    async ({ params, call }) => {
      const { event_id: eventId } = params;
      const row = await findRecentEvent(call, eventId);
      const event =
        row === null
          ? null
          : await triggerObject(call.env, call.tenant, row.trigger_id, row.shard ?? null).event(
              row.dedupe_key,
              eventId,
            );
      if (event !== null) return done(event);
      const detail = row === null ? "" : "; its dedupe key has expired and belongs to a later event";
      return problem("event_not_found", `there is no event ${eventId}${detail}`);
    },
  );
};
