import type { MailboxState, QueuedMessage, Subscriber } from "./state.ts";

/** Whether a stage waits for such a message. */
const matches = (subscriber: Subscriber, message: QueuedMessage): boolean =>
  (subscriber.name === null || subscriber.name === message.name) &&
  subscriber.kinds.some((kind) => kind === message.kind);

/** The oldest message of the queue that a stage waits for. */
export const messageFor = (state: MailboxState, subscriber: Subscriber): QueuedMessage | undefined =>
  state.messages.find((message) => matches(subscriber, message));

/** The stage that has waited longest for such a message. */
export const subscriberFor = (state: MailboxState, message: QueuedMessage): Subscriber | undefined =>
  state.subscribers.find((subscriber) => matches(subscriber, message));
