import { byteLength, type Json } from "../../lib/json.ts";
import type { MailboxState, MessageKind, UpdateResponse } from "./state.ts";

/** The largest payload, value or response, in bytes of its JSON. */
export const MAX_VALUE_BYTES = 131_072;

const MAX_MESSAGES = 10_000;

/** Room beyond the limit for what must get through a full mailbox: a pause is not to fail because nobody listens. */
const CONTROL_ROOM = 1_000;

/** The whole state is kept in memory, of which an object has 128 MB. */
const MAX_MESSAGE_BYTES = 16 * 1_048_576;

const MAX_SUBSCRIBERS = 10_000;
const MAX_QUERIES = 200;
const MAX_QUERY_BYTES = 4 * 1_048_576;
const MAX_RESPONSES = 1_000;
const MAX_RESPONSE_BYTES = 4 * 1_048_576;

/** Bytes of a value as JSON. */
export const bytesOf = (value: Json): number => byteLength(JSON.stringify(value));

/** Why another message has no place; null when it has. Messages on their way to a stage count, they may come back. */
export const queueProblem = (state: MailboxState, kind: MessageKind, bytes: number): string | null => {
  const count = state.messages.length + state.deliveries.length;
  const isControl = kind === "control";
  if (count >= MAX_MESSAGES + (isControl ? CONTROL_ROOM : 0)) return `it holds ${count} messages; receive some first`;
  if (isControl || state.message_bytes + bytes <= MAX_MESSAGE_BYTES) return null;
  return `its messages take ${state.message_bytes} bytes; receive some first`;
};

/** Why another stage cannot wait; null when it can. */
export const subscriberProblem = (state: MailboxState): string | null =>
  state.subscribers.length >= MAX_SUBSCRIBERS ? `${state.subscribers.length} stages wait already` : null;

/** Why a value cannot be published under a name; null when it can. */
export const queryProblem = (state: MailboxState, name: string, bytes: number): string | null => {
  const others = state.queries.filter((query) => query.name !== name);
  if (others.length >= MAX_QUERIES) return `it holds ${others.length} queries; publish under a name it knows`;
  const used = others.reduce((sum, query) => sum + query.bytes, 0);
  return used + bytes > MAX_QUERY_BYTES ? `its other queries take ${used} bytes; publish a smaller value` : null;
};

/** The newest responses that have a place: the oldest ones give way, a caller that still waits asks for a new one. */
export const keptResponses = (responses: readonly UpdateResponse[]): readonly UpdateResponse[] => {
  let from = Math.max(0, responses.length - MAX_RESPONSES);
  let bytes = responses.slice(from).reduce((sum, response) => sum + response.bytes, 0);
  while (bytes > MAX_RESPONSE_BYTES) {
    bytes -= responses[from]?.bytes ?? bytes;
    from += 1;
  }
  return from === 0 ? responses : responses.slice(from);
};
