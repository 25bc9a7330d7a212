import type { Json } from "../../lib/json.ts";
import type { HeardKind, MailboxAddress, Message } from "./state.ts";
import type { MailboxStatus } from "./view.ts";

/** Commands of callers and runs; each names the mailbox, which learns its own name from the first one. */
export type MailboxRequest =
  | { readonly type: "signal"; readonly name: string; readonly payload: Json }
  /** Like a signal, and answered under a fresh request id. */
  | { readonly type: "update"; readonly name: string; readonly payload: Json }
  | { readonly type: "receive" }
  | { readonly type: "publish_query"; readonly name: string; readonly value: Json }
  | {
      readonly type: "respond_update";
      readonly request_id: string;
      readonly value: Json;
      readonly name?: string;
    }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  | { readonly type: "continue_as_new" }
  /** A stage waits for one message; without `kinds` for signals and updates. Repeating it changes nothing. */
  | {
      readonly type: "subscribe";
      readonly run_id: string;
      readonly stage_id: string;
      readonly name: string | null;
      readonly kinds?: readonly HeardKind[];
    }
  /** The stage waits no longer. Repeating it changes nothing. */
  | { readonly type: "unsubscribe"; readonly run_id: string; readonly stage_id: string };

/** What the mailbox's own effects report, and its alarm. */
export type MailboxReport =
  | { readonly type: "confirm_delivery"; readonly seq: number; readonly run_id: string; readonly stage_id: string }
  | { readonly type: "return_message"; readonly seq: number; readonly run_id: string; readonly stage_id: string }
  /** Every run was told of the pause or resumption with this `seq`. */
  | { readonly type: "settle_control"; readonly seq: number }
  /** The alarm: an order that is not known to have reached the runs is sent again; `lost`: at once. */
  | { readonly type: "wake"; readonly lost?: true };

/** Everything a mailbox can be told. */
export type MailboxCommand = (MailboxRequest & { readonly mailbox: MailboxAddress }) | MailboxReport;

/** What a mailbox answers. */
export type MailboxReply =
  | {
      readonly type: "enqueued";
      readonly workflow_id: string;
      readonly message: Message;
      readonly status: MailboxStatus;
    }
  | { readonly type: "received"; readonly workflow_id: string; readonly message: Message | null }
  | { readonly type: "status"; readonly status: MailboxStatus };

/** Orders of a mailbox to the outside. */
export type MailboxEffect =
  /** The stage is to hear the message; the message itself is among the deliveries of the state until that is known. */
  | { readonly type: "deliver"; readonly seq: number; readonly run_id: string; readonly stage_id: string }
  /** The workflow's runs are to be paused or resumed. */
  | ({ readonly type: "control_runs"; readonly verb: "pause" | "resume"; readonly at_ms: number } & MailboxAddress);
