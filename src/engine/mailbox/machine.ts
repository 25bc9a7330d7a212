// The mailbox of a workflow id (spec/workflow 13).
//
//   signal, update, pause, resume --> QUEUED --receive--> (gone, at most once)
//                                      ^  |
//                        return_message|  |a stage waits for it
//                                      |  v
//                                    ON ITS WAY --confirm_delivery--> (heard)
//
// M1 A message is in the queue or on its way to one stage, never both, until it was received or heard.
// M2 The queue is in the order of `seq`; a message that comes back takes its old place.
// M3 No message stays in the queue that a waiting stage would take.
// M4 A stage waits at most once, and not while a message is on its way to it.
// M5 A message on its way has its `deliver` effect in the outbox until it was confirmed or returned; both happen once.
// M6 A pause or resumption is ordered again until the runs are known to have been told, or a later one takes its place.

import { rfc3339 } from "../../lib/time.ts";
import { type Context, type Decision, type Machine, reject } from "../machine.ts";
import type { MailboxCommand, MailboxEffect, MailboxReply, MailboxReport, MailboxRequest } from "./command.ts";
import type { MailboxEvent } from "./event.ts";
import { deliveryOf, evolve, isSameStage } from "./evolve.ts";
import { bytesOf, MAX_VALUE_BYTES, queryProblem, queueProblem, subscriberProblem } from "./limits.ts";
import { messageFor, subscriberFor } from "./match.ts";
import { EMPTY_MAILBOX, type MailboxState, type QueuedMessage, type Subscriber } from "./state.ts";
import { messageView, statusOf } from "./view.ts";

type MailboxDecision = Decision<MailboxEvent, MailboxEffect, MailboxReply, MailboxState>;
type Refusal = ReturnType<typeof reject>;

const FIRST_RESEND_MS = 30_000;
const MAX_RESEND_MS = 3_600_000;

/** A decision in the making: events are folded as they are emitted. */
class Draft {
  readonly events: MailboxEvent[] = [];
  readonly effects: MailboxEffect[] = [];
  readonly context: Context;
  state: MailboxState;

  constructor(state: MailboxState, context: Context) {
    this.state = state;
    this.context = context;
  }

  get workflowId(): string {
    return this.state.address?.workflow_id ?? "";
  }

  get at(): string {
    return rfc3339(this.context.now);
  }

  emit(event: MailboxEvent): void {
    this.events.push(event);
    this.state = evolve(this.state, event);
  }

  /** Takes a message out of the queue for a stage. */
  deliver(message: QueuedMessage, { run_id, stage_id }: Subscriber): void {
    const delivery = { seq: message.seq, run_id, stage_id };
    this.emit({ type: "delivery_started", ...delivery });
    this.effects.push({ type: "deliver", ...delivery });
  }

  /** Hands a message that has come, or come back, to the stage that waits for it (M3). */
  offer(message: QueuedMessage): void {
    const subscriber = subscriberFor(this.state, message);
    if (subscriber !== undefined) this.deliver(message, subscriber);
  }

  decided(reply: MailboxReply): MailboxDecision {
    const { events, effects, state } = this;
    return { ok: true, events, effects, reply, state };
  }

  status(): MailboxDecision {
    return this.decided({ type: "status", status: statusOf(this.state, this.workflowId) });
  }
}

const tooLarge = (what: string, bytes: number): Refusal =>
  reject("payload_too_large", `${what} takes ${bytes} bytes of JSON; at most ${MAX_VALUE_BYTES} are stored`, {
    max_bytes: MAX_VALUE_BYTES,
  });

const full = (draft: Draft, why: string): Refusal =>
  reject("rate_limited", `the mailbox of '${draft.workflowId}' is full: ${why}`);

type NewMessage = Pick<QueuedMessage, "kind" | "name" | "request_id" | "payload">;

/** Puts a message into the queue; answers what was put there, or why nothing was. */
const enqueue = (draft: Draft, given: NewMessage): QueuedMessage | Refusal => {
  const bytes = bytesOf(given.payload);
  if (bytes > MAX_VALUE_BYTES) return tooLarge("the payload", bytes);
  const why = queueProblem(draft.state, given.kind, bytes);
  if (why !== null) return full(draft, why);
  const message = { seq: draft.state.next_seq + 1, ...given, enqueued_at: draft.at, bytes };
  draft.emit({ type: "message_enqueued", message });
  return message;
};

const send = (draft: Draft, given: NewMessage): MailboxDecision => {
  const message = enqueue(draft, given);
  if ("ok" in message) return message;
  draft.offer(message);
  const { workflowId: workflow_id, state } = draft;
  const status = statusOf(state, workflow_id);
  return draft.decided({ type: "enqueued", workflow_id, message: messageView(message), status });
};

const receive = (draft: Draft): MailboxDecision => {
  const [message] = draft.state.messages;
  const { workflowId: workflow_id } = draft;
  if (message === undefined) return draft.decided({ type: "received", workflow_id, message: null });
  draft.emit({ type: "message_received", seq: message.seq });
  return draft.decided({ type: "received", workflow_id, message: messageView(message) });
};

const publish = (
  draft: Draft,
  { name, value }: Extract<MailboxRequest, { type: "publish_query" }>,
): MailboxDecision => {
  const bytes = bytesOf(value);
  if (bytes > MAX_VALUE_BYTES) return tooLarge("the value", bytes);
  const why = queryProblem(draft.state, name, bytes);
  if (why !== null) return full(draft, why);
  draft.emit({ type: "query_published", name, value, published_at: draft.at, bytes });
  return draft.status();
};

const respond = (draft: Draft, command: Extract<MailboxRequest, { type: "respond_update" }>): MailboxDecision => {
  const { request_id, value, name = null } = command;
  const bytes = bytesOf(value);
  if (bytes > MAX_VALUE_BYTES) return tooLarge("the response", bytes);
  draft.emit({ type: "update_answered", request_id, name, value, responded_at: draft.at, bytes });
  return draft.status();
};

/** Orders that the runs be told what the mailbox says now: a repeated or late order cannot undo a newer one (M6). */
const orderControl = (draft: Draft, seq: number, attempts: number): void => {
  const { address, paused } = draft.state;
  if (address === null) return;
  const { now: at_ms } = draft.context;
  const wait = Math.min(FIRST_RESEND_MS * 2 ** attempts, MAX_RESEND_MS);
  draft.emit({ type: "control_ordered", seq, resend_at_ms: at_ms + wait, attempts: attempts + 1 });
  draft.effects.push({ type: "control_runs", ...address, verb: paused ? "pause" : "resume", at_ms });
};

const changePause = (draft: Draft, verb: "pause" | "resume"): MailboxDecision => {
  const message = enqueue(draft, { kind: "control", name: verb, request_id: null, payload: {} });
  if ("ok" in message) return message;
  draft.emit({ type: "pause_changed", paused: verb === "pause" });
  orderControl(draft, message.seq, 0);
  return draft.status();
};

const subscribe = (draft: Draft, command: Extract<MailboxRequest, { type: "subscribe" }>): MailboxDecision => {
  const { run_id, stage_id, name, kinds = ["signal", "update"] } = command;
  const { subscribers, deliveries } = draft.state;
  const isKnown = [...subscribers, ...deliveries].some((one) => isSameStage(one, command));
  if (isKnown) return draft.status();
  const subscriber = { run_id, stage_id, name, kinds };
  const message = messageFor(draft.state, subscriber);
  const why = message === undefined ? subscriberProblem(draft.state) : null;
  if (why !== null) return full(draft, why);
  if (message === undefined) draft.emit({ type: "stage_subscribed", ...subscriber });
  else draft.deliver(message, subscriber);
  return draft.status();
};

const unsubscribe = (draft: Draft, command: Extract<MailboxRequest, { type: "unsubscribe" }>): MailboxDecision => {
  const { run_id, stage_id } = command;
  const waits = draft.state.subscribers.some((subscriber) => isSameStage(subscriber, command));
  if (waits) draft.emit({ type: "stage_unsubscribed", run_id, stage_id });
  return draft.status();
};

const decideRequest = (draft: Draft, command: MailboxRequest): MailboxDecision => {
  switch (command.type) {
    case "signal":
    case "update": {
      const { type: kind, name, payload } = command;
      return send(draft, { kind, name, request_id: kind === "update" ? draft.context.nextId("") : null, payload });
    }
    case "receive":
      return receive(draft);
    case "publish_query":
      return publish(draft, command);
    case "respond_update":
      return respond(draft, command);
    case "pause":
    case "resume":
      return changePause(draft, command.type);
    case "continue_as_new":
      draft.emit({ type: "continued_as_new", at: draft.at });
      return draft.status();
    case "subscribe":
      return subscribe(draft, command);
    case "unsubscribe":
      return unsubscribe(draft, command);
  }
};

const decideReport = (draft: Draft, command: MailboxReport): MailboxDecision => {
  const { control } = draft.state;
  switch (command.type) {
    case "confirm_delivery":
    case "return_message": {
      const { type, seq, run_id, stage_id } = command;
      const delivery = deliveryOf(draft.state, command);
      if (delivery === undefined) break;
      const isHeard = type === "confirm_delivery";
      draft.emit({ type: isHeard ? "delivery_accepted" : "delivery_returned", seq, run_id, stage_id });
      if (!isHeard) draft.offer(delivery.message);
      break;
    }
    case "settle_control":
      if (control?.seq === command.seq) draft.emit({ type: "control_settled", seq: command.seq });
      break;
    case "wake": {
      const isDue = control !== null && (command.lost === true || control.resend_at_ms <= draft.context.now);
      if (isDue) orderControl(draft, control.seq, control.attempts);
    }
  }
  return draft.status();
};

const isRequest = (command: MailboxCommand): command is Extract<MailboxCommand, { mailbox: unknown }> =>
  "mailbox" in command;

/** Whether a request would find nothing to change, so that a mailbox nobody has written to gets no storage. */
const isIdle = (draft: Draft, before: number): boolean => draft.events.length === before && draft.effects.length === 0;

/** The machine of a mailbox (spec/workflow 13). */
export const mailboxMachine: Machine<MailboxState, MailboxCommand, MailboxEvent, MailboxEffect, MailboxReply> = {
  initial: EMPTY_MAILBOX,
  evolve,
  decide: (state, command, context) => {
    const draft = new Draft(state, context);
    if (!isRequest(command)) return decideReport(draft, command);
    if (state.address === null) draft.emit({ type: "mailbox_opened", ...command.mailbox });
    const opened = draft.events.length;
    const decision = decideRequest(draft, command);
    return decision.ok && isIdle(draft, opened) ? { ...decision, events: [], state } : decision;
  },
};

/** When a mailbox needs its alarm for itself: to send an order to the runs again. */
export const mailboxWake = (state: MailboxState): number | null => state.control?.resend_at_ms ?? null;
