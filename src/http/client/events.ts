import type * as z from "zod";
import type { approvalPageSchema } from "../../schema/api-approval.ts";
import type {
  approveEventSchema,
  cancelEventSchema,
  eventLogSchema,
  fireSchema,
  replayEventSchema,
  replayMadeSchema,
  replayViewSchema,
} from "../../schema/api-event-control.ts";
import type { EventView } from "../../schema/trigger-event.ts";
import type { Receipt } from "../../schema/trigger.ts";
import { type CallOptions, type Out, type Query, segment, type Transport } from "./transport.ts";

/** What is done about events: fire, replay, cancel, approve (spec/triggers 13.1, 22, 23). */
export class EventCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Without an idempotency key in `call` a repetition fires a second event. */
  fire = (trigger: string, body: z.input<typeof fireSchema> = {}, call: CallOptions = {}) =>
    this.#transport.send<Receipt>("POST", `/v1/triggers/${segment(trigger)}/fire`, { body, call });
  replay = (event: string, body: z.input<typeof replayEventSchema> = {}, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof replayMadeSchema>>("POST", `/v1/events/${segment(event)}/replay`, { body, call });
  getReplay = (event: string, number: number) =>
    this.#transport.send<Out<typeof replayViewSchema>>("GET", `/v1/events/${segment(event)}/replays/${number}`);
  log = (event: string, query: Query = {}) =>
    this.#transport.send<Out<typeof eventLogSchema>>("GET", `/v1/events/${segment(event)}/log`, { query });
  cancel = (event: string, body: z.input<typeof cancelEventSchema> = {}, call: CallOptions = {}) =>
    this.#transport.send<EventView>("POST", `/v1/events/${segment(event)}/cancel`, { body, call });
  approve = (event: string, body: z.input<typeof approveEventSchema>, call: CallOptions = {}) =>
    this.#transport.send<EventView>("POST", `/v1/events/${segment(event)}/approve`, { body, call });
  /** By the request's id, or the event's. */
  respond = (request: string, body: z.input<typeof approveEventSchema>, call: CallOptions = {}) =>
    this.#transport.send<EventView>("POST", `/v1/approvals/${segment(request)}/respond`, { body, call });
  approvals = (query: Query = {}) =>
    this.#transport.send<Out<typeof approvalPageSchema>>("GET", "/v1/approvals", { query });
}
