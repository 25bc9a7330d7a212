import type { Json } from "../../lib/json.ts";

/** What a message is: `control` tells of a pause or a resumption (spec/workflow 13). */
export type MessageKind = "signal" | "update" | "control";

/** Kinds that a stage can wait for. */
export type HeardKind = Exclude<MessageKind, "control">;

/** A message of the queue. */
export interface Message {
  /** Counts up for each mailbox and is never used twice; the order of the queue. */
  readonly seq: number;
  readonly kind: MessageKind;
  readonly name: string;
  /** Under which an update is answered; null for the other kinds. */
  readonly request_id: string | null;
  readonly payload: Json;
  readonly enqueued_at: string;
}

/** A message with the bytes of its payload, which count towards the size of the mailbox. */
export interface QueuedMessage extends Message {
  readonly bytes: number;
}

/** A stage of a run that waits for a message. */
export interface Subscriber {
  readonly run_id: string;
  readonly stage_id: string;
  /** Null: a message of any name. */
  readonly name: string | null;
  readonly kinds: readonly HeardKind[];
}

/** A message that was handed to a stage and is not known to be heard. */
export interface Delivery {
  readonly run_id: string;
  readonly stage_id: string;
  readonly message: QueuedMessage;
}

/** The last value a run has published under a name. */
export interface PublishedQuery {
  readonly name: string;
  readonly value: Json;
  readonly published_at: string;
  readonly bytes: number;
}

/** The answer to an update. */
export interface UpdateResponse {
  readonly request_id: string;
  readonly name: string | null;
  readonly value: Json;
  readonly responded_at: string;
  readonly bytes: number;
}

/** A pause or resumption that is not known to have reached the runs. */
export interface PendingControl {
  /** The `seq` of its control message: a later one takes its place. */
  readonly seq: number;
  /** When the order is sent again. */
  readonly resend_at_ms: number;
  readonly attempts: number;
}

/** Whose mailbox it is; the object learns it with the first command. */
export interface MailboxAddress {
  readonly tenant: string;
  readonly workflow_id: string;
}

/** The mailbox of one workflow id. */
export interface MailboxState {
  readonly address: MailboxAddress | null;
  readonly generation: number;
  readonly continue_as_new_count: number;
  readonly last_continue_as_new_at: string | null;
  readonly paused: boolean;
  /** The last `seq` that was used. */
  readonly next_seq: number;
  /** The queue, oldest first. */
  readonly messages: readonly QueuedMessage[];
  /** Bytes of all payloads in the queue and on their way. */
  readonly message_bytes: number;
  /** Stages that wait, in the order they came. */
  readonly subscribers: readonly Subscriber[];
  readonly deliveries: readonly Delivery[];
  readonly queries: readonly PublishedQuery[];
  /** Oldest answer first. */
  readonly responses: readonly UpdateResponse[];
  readonly control: PendingControl | null;
}

/** A mailbox that nobody has written to: reads of it are answered with this (spec/workflow 13). */
export const EMPTY_MAILBOX: MailboxState = {
  address: null,
  generation: 1,
  continue_as_new_count: 0,
  last_continue_as_new_at: null,
  paused: false,
  next_seq: 0,
  messages: [],
  message_bytes: 0,
  subscribers: [],
  deliveries: [],
  queries: [],
  responses: [],
  control: null,
};
