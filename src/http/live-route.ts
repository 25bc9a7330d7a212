import type { Call } from "./call.ts";
import { eventStream, type LiveSource } from "./live.ts";
import { invalid, type Problem } from "./problem.ts";

/** Events a stream starts with; more are read while it goes on. */
const FIRST_PAGE = 500;

/** Something whose events can be followed. */
export interface Followed {
  readonly source: LiveSource;
  /** The event to begin after; null for the first. */
  readonly after: string | null;
  readonly isEventId: (text: string) => boolean;
  readonly notFound: () => Problem;
}

const sse = async (call: Call, { source, after, isEventId, notFound }: Followed): Promise<Response | Problem> => {
  const header = call.request.headers.get("Last-Event-ID");
  // Not every client can leave the header out: an empty one says that nothing was seen yet.
  if (header !== null && header !== "" && !isEventId(header))
    return invalid([{ path: "Last-Event-ID", message: "is not the id of an event" }]);
  const last = header === null || header === "" ? after : header;
  const page = await source().events(last, FIRST_PAGE);
  if (page === null) return notFound();
  // Nothing will ever follow: this status tells an EventSource to stop asking.
  if (page.ended && page.items.length === 0) return new Response(null, { status: 204 });
  return new Response(eventStream(source, { last, page }), {
    headers: { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform" },
  });
};

const webSocket = async ({ source, after, notFound }: Followed): Promise<Response | Problem> => {
  if ((await source().events(null, 1)) === null) return notFound();
  const query = after === null ? "" : `?after=${after}`;
  return source().fetch(`https://live/events${query}`, { headers: { Upgrade: "websocket" } });
};

/** Answers a request that follows events: server-sent events or a WebSocket; null for one that wants a list. */
export const followEvents = (call: Call, followed: Followed): Promise<Response | Problem> | null => {
  const { headers } = call.request;
  if (headers.get("Upgrade")?.toLowerCase() === "websocket") return webSocket(followed);
  return headers.get("Accept")?.includes("text/event-stream") === true ? sse(call, followed) : null;
};
