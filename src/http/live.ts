/** A comment this often keeps intermediaries from closing a quiet stream. */
const HEARTBEAT_MS = 15_000;

/** Events read at once while catching up. */
const PAGE = 500;

/** A reader that is so many texts behind is cut off; it resumes with the last id it has. */
const MAX_BACKLOG = 5_000;

/** An event, or a text that is only shown: it has no id and nobody can resume after it. */
export interface Shown {
  readonly id: string | null;
  readonly type: string;
}

/** Events and whether nothing will follow them. */
export interface LivePage {
  readonly items: readonly Shown[];
  readonly ended: boolean;
}

/** What a stream is made from. */
interface LiveObject {
  /** Events after an id, oldest first; null where there is nothing to follow. */
  readonly events: (after: string | null, limit: number) => Promise<LivePage | null>;
  /** The object itself, which opens sockets. */
  readonly fetch: (input: string, init?: RequestInit) => Promise<Response>;
  /** Puts the long texts into an event that came through a socket. */
  readonly show: <Event extends Shown>(event: Event) => Promise<Event>;
  /** True for an event after which nothing follows; the rest of its commit may follow it. */
  readonly ends: (event: Shown) => boolean;
}

/** Where a stream comes from; asked anew for each call, because a stub of a reset object stays broken. */
export type LiveSource = () => LiveObject;

interface Stream {
  readonly source: LiveSource;
  readonly write: (text: string) => void;
  last: string | null;
}

/** An event in the format of server-sent events. */
export const eventText = (event: Shown): string =>
  `${event.id === null ? "" : `id: ${event.id}\n`}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

const END = "event: end\ndata: {}\n\n";

const show = (stream: Stream, event: Shown): void => {
  stream.write(eventText(event));
  stream.last = event.id ?? stream.last;
};

/** Shows what there is beyond the last event shown. True when nothing will follow and all of it was shown. */
const catchUp = async (stream: Stream, first?: LivePage): Promise<boolean> => {
  for (let page = first ?? (await stream.source().events(stream.last, PAGE)); page !== null;) {
    for (const event of page.items) show(stream, event);
    if (page.items.length < PAGE) return page.ended;
    page = await stream.source().events(stream.last, PAGE);
  }
  return true;
};

/** Opens a socket to the object; null when the object does not give one. */
const openSocket = async (stream: Stream): Promise<WebSocket | null> => {
  const after = stream.last === null ? "" : `?after=${stream.last}`;
  const response = await stream.source().fetch(`https://live/events${after}`, { headers: { Upgrade: "websocket" } });
  response.webSocket?.accept();
  return response.webSocket;
};

/** Follows the socket until nothing will follow, or the socket closes. */
const follow = (stream: Stream, socket: WebSocket): Promise<"over" | "closed"> =>
  new Promise((resolve) => {
    let shown = Promise.resolve();
    let isOver = false;
    socket.addEventListener("message", ({ data }) => {
      const showNext = async (): Promise<void> => {
        // What follows the end is read by its id: shown here as well it would come twice.
        if (isOver) return;
        const event = await stream.source().show(JSON.parse(String(data)) as Shown);
        show(stream, event);
        if (!stream.source().ends(event)) return;
        isOver = true;
        resolve("over");
      };
      // A fault ends the stream before the event: its reader resumes with it.
      shown = shown.then(showNext).then(undefined, () => resolve("closed"));
    });
    socket.addEventListener("close", () => resolve("closed"));
    socket.addEventListener("error", () => resolve("closed"));
  });

/**
 * The events of a run or a worker as server-sent events, from an event id on and until nothing will follow.
 *
 * The stream is held by the stateless Worker; the object only holds a socket that hibernates. A stream that ends
 * without the event `end` was cut off: the client resumes with `Last-Event-ID`.
 */
export const eventStream = (
  source: LiveSource,
  from: { readonly last: string | null; readonly page: LivePage },
): ReadableStream<Uint8Array> => {
  const encoder = new TextEncoder();
  let stop: (() => void) | null = null;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      let open = true;
      let socket: WebSocket | null = null;
      const heartbeat = setInterval(() => write(": still here\n\n"), HEARTBEAT_MS);
      stop = () => {
        open = false;
        clearInterval(heartbeat);
        socket?.close(1000, "done");
      };
      const finish = (): void => {
        if (!open) return;
        stop?.();
        controller.close();
      };
      const write = (text: string): void => {
        if (!open) return;
        controller.enqueue(encoder.encode(text));
        if ((controller.desiredSize ?? 0) < -MAX_BACKLOG) finish();
      };
      const stream: Stream = { source, write, last: from.last };
      const run = async (): Promise<void> => {
        write("retry: 1000\n\n");
        let over = await catchUp(stream, from.page);
        if (!over && open) {
          socket = await openSocket(stream);
          if (socket !== null && open && (await follow(stream, socket)) === "over") over = await catchUp(stream);
        }
        if (over) write(END);
      };
      // A fault cuts the stream off, which tells the client to resume.
      run().then(finish, finish);
    },
    cancel: () => stop?.(),
  });
};
