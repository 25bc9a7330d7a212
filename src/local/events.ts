import type { LiveEvent } from "../engine/observe/live.ts";
import type { Api } from "./api.ts";
import { LocalProblem } from "./problem.ts";

/** One message of a stream of server-sent events. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

const messageOf = (block: string): ServerSentEvent | null => {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    fields.set(name, fields.has(name) ? `${fields.get(name) ?? ""}\n${value}` : value);
  }
  const data = fields.get("data");
  return data === undefined ? null : { event: fields.get("event") ?? "message", data };
};

/** Reads server-sent events; comments and blocks without data are left out, as the standard says. */
export const readServerSentEvents = async function* (
  chunks: AsyncIterable<string>,
): AsyncGenerator<ServerSentEvent, void, void> {
  let buffer = "";
  for await (const chunk of chunks) {
    buffer += chunk;
    for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
      const message = messageOf(buffer.slice(0, end));
      buffer = buffer.slice(end + 2);
      if (message !== null) yield message;
    }
  }
};

/** How often in a row a stream may break without a new event. */
const MAX_FRUITLESS = 20;

/**
 * Follows a run until it is over, event by event; a stream that breaks off is resumed after the last event.
 *
 * Throws a `LocalProblem` when the server does not answer any more, and stops with the signal.
 */
export const followRun = async function* (
  api: Api,
  runId: string,
  signal: AbortSignal,
): AsyncGenerator<LiveEvent, void, void> {
  let last: string | null = null;
  for (let fruitless = 0; fruitless < MAX_FRUITLESS; fruitless += 1) {
    const response: Response = await api.open(
      `/v1/runs/${runId}/events`,
      { Accept: "text/event-stream", ...(last === null ? {} : { "Last-Event-ID": last }) },
      signal,
    );
    if (response.status === 204) return;
    if (!response.ok || response.body === null) {
      throw new LocalProblem(`the events of run ${runId} were answered ${response.status}: ${await response.text()}`);
    }
    const text = response.body.pipeThrough(new TextDecoderStream()) as unknown as AsyncIterable<string>;
    for await (const { event, data } of readServerSentEvents(text)) {
      if (event === "end") return;
      const live = JSON.parse(data) as LiveEvent;
      last = live.id;
      fruitless = 0;
      yield live;
    }
  }
  throw new LocalProblem(`the stream of events of run ${runId} keeps breaking off`);
};
