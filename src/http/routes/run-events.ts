import { parseEventId } from "../../engine/observe/live.ts";
import { eventPageSchema, eventQuery } from "../../schema/api-run.ts";
import type { Call } from "../call.ts";
import { shown } from "../bodies.ts";
import { eventStream, type LiveSource } from "../live.ts";
import { invalid } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { runNotFound, runObject } from "../run-object.ts";

/** Events a stream starts with; more are read while it goes on. */
const FIRST_PAGE = 500;

/** A run whose events come with the long texts they quote. */
const shownEvents = (call: Call, runId: string): LiveSource => {
  const show = <Value>(value: Value): Promise<Value> => shown(call, value);
  return () => {
    const run = runObject(call.env, call.tenant, runId);
    return {
      events: async (after, limit) => show(await run.events(after, limit)),
      fetch: (input, init) => run.fetch(input, init),
      show,
    };
  };
};

const sse = async (call: Call, runId: string, after: string | null) => {
  const header = call.request.headers.get("Last-Event-ID");
  // Not every client can leave the header out: an empty one says that nothing was seen yet.
  if (header !== null && header !== "" && parseEventId(header) === null)
    return invalid([{ path: "Last-Event-ID", message: "is not the id of an event" }]);
  const last = header === null || header === "" ? after : header;
  const source = shownEvents(call, runId);
  const page = await source().events(last, FIRST_PAGE);
  if (page === null) return runNotFound(runId);
  // Nothing will ever follow: this status tells an EventSource to stop asking.
  if (page.ended && page.items.length === 0) return new Response(null, { status: 204 });
  return new Response(eventStream(source, { last, page }), {
    headers: { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform" },
  });
};

const webSocket = async (call: Call, runId: string, after: string | null) => {
  const run = runObject(call.env, call.tenant, runId);
  if ((await run.events(null, 1)) === null) return runNotFound(runId);
  const query = after === null ? "" : `?after=${after}`;
  return run.fetch(`https://run/events${query}`, { headers: { Upgrade: "websocket" } });
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
      const { headers } = call.request;
      const after = query.cursor ?? query.after ?? null;
      if (headers.get("Upgrade")?.toLowerCase() === "websocket") return webSocket(call, params.run_id, after);
      if (headers.get("Accept")?.includes("text/event-stream") === true) return sse(call, params.run_id, after);
      const page = await shownEvents(call, params.run_id)().events(after, query.limit);
      if (page === null) return runNotFound(params.run_id);
      const isFull = page.items.length === query.limit;
      return done({
        items: page.items,
        next_cursor: isFull ? (page.items.at(-1)?.id ?? null) : null,
        ended: page.ended && !isFull,
      });
    },
  );
