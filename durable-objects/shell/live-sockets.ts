/** Something that can be sent to a client as one JSON text. */
interface Sendable {
  /** Null for what is only shown and never stored. */
  readonly id: string | null;
}

/** Events a new socket may have missed are sent in one go up to this many; a client that is further behind pages first. */
const CATCH_UP = 1_000;

/** Accepts a hibernating WebSocket and sends it what happened after `?after=`; 404 when there is nothing to watch. */
export const openLiveSocket = (
  ctx: DurableObjectState,
  request: Request,
  eventsAfter: (after: string | null, limit: number) => readonly Sendable[] | null,
): Response => {
  const missed = eventsAfter(new URL(request.url).searchParams.get("after"), CATCH_UP);
  if (missed === null) return new Response(null, { status: 404 });
  if (request.headers.get("Upgrade") !== "websocket") return new Response(null, { status: 426 });
  const { 0: client, 1: server } = new WebSocketPair();
  ctx.acceptWebSocket(server);
  for (const event of missed) server.send(JSON.stringify(event));
  return new Response(null, { status: 101, webSocket: client });
};

/** Sends new events to every open socket; they are made only when there is one. Says whether there is. */
export const broadcast = (ctx: DurableObjectState, events: () => readonly Sendable[]): boolean => {
  const sockets = ctx.getWebSockets();
  if (sockets.length === 0) return false;
  const texts = events().map((event) => JSON.stringify(event));
  for (const socket of sockets) for (const text of texts) socket.send(text);
  return true;
};
