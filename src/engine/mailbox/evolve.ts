import type { MailboxEvent } from "./event.ts";
import { keptResponses } from "./limits.ts";
import type { Delivery, MailboxState, QueuedMessage, Subscriber } from "./state.ts";

interface Stage {
  readonly run_id: string;
  readonly stage_id: string;
}

/** Whether two things belong to the same stage of the same run. */
export const isSameStage = (a: Stage, b: Stage): boolean => a.run_id === b.run_id && a.stage_id === b.stage_id;

/** The delivery of a message to a stage, if it is still under way. */
export const deliveryOf = (state: MailboxState, wanted: Stage & { readonly seq: number }): Delivery | undefined =>
  state.deliveries.find((delivery) => delivery.message.seq === wanted.seq && isSameStage(delivery, wanted));

const without = (messages: readonly QueuedMessage[], seq: number): readonly QueuedMessage[] =>
  messages.filter((message) => message.seq !== seq);

const withoutStage = (subscribers: readonly Subscriber[], stage: Stage): readonly Subscriber[] =>
  subscribers.filter((subscriber) => !isSameStage(subscriber, stage));

/** Puts a message back where its `seq` belongs: before everything that was sent after it. */
const inOrder = (messages: readonly QueuedMessage[], message: QueuedMessage): readonly QueuedMessage[] => {
  if ((messages.at(-1)?.seq ?? 0) < message.seq) return [...messages, message];
  const at = messages.findIndex((other) => other.seq > message.seq);
  return messages.toSpliced(at, 0, message);
};

const enqueue = (state: MailboxState, message: QueuedMessage): MailboxState => ({
  ...state,
  next_seq: Math.max(state.next_seq, message.seq),
  messages: inOrder(state.messages, message),
  message_bytes: state.message_bytes + message.bytes,
});

const receive = (state: MailboxState, seq: number): MailboxState => {
  const message = state.messages.find((one) => one.seq === seq);
  if (message === undefined) return state;
  return {
    ...state,
    messages: without(state.messages, seq),
    message_bytes: state.message_bytes - message.bytes,
  };
};

type DeliveryChange = Extract<MailboxEvent, { readonly type: `delivery_${string}` }>;

const changeDelivery = (state: MailboxState, event: DeliveryChange): MailboxState => {
  const { seq, run_id, stage_id } = event;
  if (event.type === "delivery_started") {
    const message = state.messages.find((one) => one.seq === seq);
    if (message === undefined) return state;
    return {
      ...state,
      messages: without(state.messages, seq),
      subscribers: withoutStage(state.subscribers, event),
      deliveries: [...state.deliveries, { run_id, stage_id, message }],
    };
  }
  const delivery = deliveryOf(state, event);
  if (delivery === undefined) return state;
  const deliveries = state.deliveries.filter((other) => other !== delivery);
  return event.type === "delivery_accepted"
    ? { ...state, deliveries, message_bytes: state.message_bytes - delivery.message.bytes }
    : { ...state, deliveries, messages: inOrder(state.messages, delivery.message) };
};

/** Folds one event into a mailbox; total. */
export const evolve = (state: MailboxState, event: MailboxEvent): MailboxState => {
  switch (event.type) {
    case "mailbox_opened": {
      const { tenant, workflow_id } = event;
      return { ...state, address: { tenant, workflow_id } };
    }
    case "message_enqueued":
      return enqueue(state, event.message);
    case "message_received":
      return receive(state, event.seq);
    case "stage_subscribed": {
      const { type: _type, ...subscriber } = event;
      return { ...state, subscribers: [...withoutStage(state.subscribers, event), subscriber] };
    }
    case "stage_unsubscribed":
      return { ...state, subscribers: withoutStage(state.subscribers, event) };
    case "delivery_started":
    case "delivery_accepted":
    case "delivery_returned":
      return changeDelivery(state, event);
    case "query_published": {
      const { type: _type, ...query } = event;
      return { ...state, queries: [...state.queries.filter(({ name }) => name !== query.name), query] };
    }
    case "update_answered": {
      const { type: _type, ...response } = event;
      const others = state.responses.filter(({ request_id }) => request_id !== response.request_id);
      return { ...state, responses: keptResponses([...others, response]) };
    }
    case "pause_changed":
      return { ...state, paused: event.paused };
    case "control_ordered": {
      const { seq, resend_at_ms, attempts } = event;
      return { ...state, control: { seq, resend_at_ms, attempts } };
    }
    case "control_settled":
      return state.control?.seq === event.seq ? { ...state, control: null } : state;
    case "continued_as_new":
      return {
        ...state,
        generation: state.generation + 1,
        continue_as_new_count: state.continue_as_new_count + 1,
        last_continue_as_new_at: event.at,
        responses: [],
      };
    case "mailbox_restored":
      return event.state;
  }
};
