import type {
  MailboxAddress,
  MailboxState,
  PublishedQuery,
  QueuedMessage,
  Subscriber,
  UpdateResponse,
} from "./state.ts";

/** Which message is, or was, on its way to which stage. */
interface DeliveryEvent {
  readonly seq: number;
  readonly run_id: string;
  readonly stage_id: string;
}

/** What happened to a mailbox. */
export type MailboxEvent =
  | ({ readonly type: "mailbox_opened" } & MailboxAddress)
  | { readonly type: "message_enqueued"; readonly message: QueuedMessage }
  /** Taken out of the queue by a caller; at most once. */
  | { readonly type: "message_received"; readonly seq: number }
  | ({ readonly type: "stage_subscribed" } & Subscriber)
  | { readonly type: "stage_unsubscribed"; readonly run_id: string; readonly stage_id: string }
  /** Taken out of the queue for a stage, which waits no longer. */
  | ({ readonly type: "delivery_started" } & DeliveryEvent)
  /** The stage has heard the message. */
  | ({ readonly type: "delivery_accepted" } & DeliveryEvent)
  /** The stage no longer waited: the message is back in the queue, in its old place. */
  | ({ readonly type: "delivery_returned" } & DeliveryEvent)
  | ({ readonly type: "query_published" } & PublishedQuery)
  | ({ readonly type: "update_answered" } & UpdateResponse)
  | { readonly type: "pause_changed"; readonly paused: boolean }
  /** The runs are to be told of the pause or resumption with this `seq`. */
  | {
      readonly type: "control_ordered";
      readonly seq: number;
      readonly resend_at_ms: number;
      readonly attempts: number;
    }
  | { readonly type: "control_settled"; readonly seq: number }
  | { readonly type: "continued_as_new"; readonly at: string }
  /** Stands for the whole journal before it. */
  | { readonly type: "mailbox_restored"; readonly state: MailboxState };
