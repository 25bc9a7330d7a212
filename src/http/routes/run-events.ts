import { type LiveEvent, parseEventId } from "../../engine/observe/live.ts";
import { eventPageSchema, eventQuery } from "../../schema/api-run.ts";
import type { Call } from "../call.ts";
import { shown } from "../bodies.ts";
import { followEvents } from "../live-route.ts";
import type { Shown } from "../live.ts";
import { done, type Router } from "../router.ts";
import { type EventPage, runNotFound, runObject } from "../run-object.ts";

const isEventId = (text: string): boolean => parseEventId(text) !== null;

const endsRun = (event: Shown): boolean =>
  event.type === "run_failed" ||
  event.type === "run_cancelled" ||
  (event.type === "run_finalized" && (event as LiveEvent).data["status"] === "completed");

/** A run whose events come with the long texts they quote. */
const shownEvents = (call: Call, runId: string) => {
  const show = <Value>(value: Value): Promise<Value> => shown(call, value);
  return () => {
    const run = runObject(call.env, call.tenant, runId);
    return {
      events: async (after: string | null, limit: number): Promise<EventPage | null> =>
        show(await run.events(after, limit)),
      fetch: (input: string, init?: RequestInit) => run.fetch(input, init),
      show,
      ends: endsRun,
    };
  };
};

/** The events of a run: a list, server-sent events, or a WebSocket. */
export const addRunEventRoutes = (router: Router): void =>
  router.add(
    {
      method: "get",
      path: "/v1/runs/{run_id}/events",
      operation: "list_run_events",
      tag: "Runs",
      summary: "List or follow the events of a run",
      description:
        "JSON by default. With `Accept: text/event-stream` server-sent events until the run is over, which the event `end` says; `Last-Event-ID` resumes, and 204 means that nothing more will come. With `Upgrade: websocket` each event is one JSON text; `after` resumes.",
      access: "runs:read",
      query: eventQuery,
      reply: { status: 200, description: "Events, oldest first", name: "EventPage", schema: eventPageSchema },
      problems: ["run_not_found"],
    },
    async ({ params, query, call }) => {
      const after = query.cursor ?? query.after ?? null;
      const source = shownEvents(call, params.run_id);
      const followed = { source, after, isEventId, notFound: () => runNotFound(params.run_id) };
      const stream = followEvents(call, followed);
      if (stream !== null) return stream;
      const page = await source().events(after, query.limit);
      if (page === null) return runNotFound(params.run_id);
      const isFull = page.items.length === query.limit;
      return done({
        items: page.items,
        next_cursor: isFull ? (page.items.at(-1)?.id ?? null) : null,
        ended: page.ended && !isFull,
      });
    },
  );
