import type { Json } from "../../lib/json.ts";
import type { MailboxState, Message, QueuedMessage, UpdateResponse } from "./state.ts";

/** Where a mailbox stands (spec/workflow 13). */
export interface MailboxStatus {
  readonly workflow_id: string;
  /** The directory a target named; null where there is none. */
  readonly base_dir: string | null;
  readonly generation: number;
  readonly paused: boolean;
  /** Messages in the queue, without those on their way to a stage. */
  readonly pending_count: number;
  readonly query_count: number;
  readonly response_count: number;
  readonly continue_as_new_count: number;
  readonly last_continue_as_new_at: string | null;
  /** Messages on their way to a stage. */
  readonly delivering_count: number;
  /** Stages that wait for a message. */
  readonly subscriber_count: number;
}

/** The answer to an update as it may be shown. */
export type ShownResponse = Omit<UpdateResponse, "bytes">;

/** The status of a mailbox, also of one that nobody has written to. */
export const statusOf = (state: MailboxState, workflowId: string): MailboxStatus => ({
  workflow_id: workflowId,
  base_dir: null,
  generation: state.generation,
  paused: state.paused,
  pending_count: state.messages.length,
  query_count: state.queries.length,
  response_count: state.responses.length,
  continue_as_new_count: state.continue_as_new_count,
  last_continue_as_new_at: state.last_continue_as_new_at,
  delivering_count: state.deliveries.length,
  subscriber_count: state.subscribers.length,
});

/** A message without what only the mailbox needs. */
export const messageView = ({ seq, kind, name, request_id, payload, enqueued_at }: QueuedMessage): Message => ({
  seq,
  kind,
  name,
  request_id,
  payload,
  enqueued_at,
});

/** The last value published under a name; null when there is none. */
export const queryOf = (
  state: MailboxState,
  name: string,
): { readonly value: Json; readonly published_at: string } | null => {
  const query = state.queries.find((one) => one.name === name);
  return query === undefined ? null : { value: query.value, published_at: query.published_at };
};

/** The response to an update; null while there is none. */
export const responseOf = (state: MailboxState, requestId: string): ShownResponse | null => {
  const found = state.responses.find((response) => response.request_id === requestId);
  if (found === undefined) return null;
  const { request_id, name, value, responded_at } = found;
  return { request_id, name, value, responded_at };
};

/** What of a mailbox its head row keeps: it changes rarely, so that a message does not have to write it. */
export const mailboxHead = ({ address, generation, paused }: MailboxState): Json =>
  address === null ? null : { ...address, generation, paused };
