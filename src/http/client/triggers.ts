import type * as z from "zod";
import type {
  Receipt,
  triggerDefinitionSchema,
  triggerPageSchema,
  TriggerReport,
  unknownDeliveryPageSchema,
} from "../../schema/trigger.ts";
import type { eventPageSchema, eventViewSchema } from "../../schema/trigger-event.ts";
import type { TriggerStats } from "../../schema/trigger-stats.ts";
import { type CallOptions, type Out, type Query, segment, type Transport } from "./transport.ts";

/** A webhook as its provider sends it; the headers carry the signature. */
interface Delivery {
  /** Without one the trigger is the default tenant's. */
  readonly tenant?: string;
  readonly trigger_id: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Triggers and the events they accepted (spec/triggers 5 and 6). */
export class TriggerCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  put = (trigger: string, body: z.input<typeof triggerDefinitionSchema>) =>
    this.#transport.send<TriggerReport>("PUT", `/v1/triggers/${segment(trigger)}`, { body });
  list = (query: Query = {}) => this.#transport.send<Out<typeof triggerPageSchema>>("GET", "/v1/triggers", { query });
  get = (trigger: string) => this.#transport.send<TriggerReport>("GET", `/v1/triggers/${segment(trigger)}`);
  delete = (trigger: string) => this.#transport.send<undefined>("DELETE", `/v1/triggers/${segment(trigger)}`);
  pause = (trigger: string, call: CallOptions = {}) =>
    this.#transport.send<TriggerReport>("POST", `/v1/triggers/${segment(trigger)}/pause`, { call });
  resume = (trigger: string, call: CallOptions = {}) =>
    this.#transport.send<TriggerReport>("POST", `/v1/triggers/${segment(trigger)}/resume`, { call });
  stats = (trigger: string, query: Query = {}) =>
    this.#transport.send<TriggerStats>("GET", `/v1/triggers/${segment(trigger)}/stats`, { query });
  /** Counters, gauges and histograms as Prometheus reads them. */
  metrics = async () => (await this.#transport.fetch("/metrics", { headers: {} })).text();
  listUnknownDeliveries = (query: Query = {}) =>
    this.#transport.send<Out<typeof unknownDeliveryPageSchema>>("GET", "/v1/unknown_deliveries", { query });
  listEvents = (query: Query = {}) => this.#transport.send<Out<typeof eventPageSchema>>("GET", "/v1/events", { query });
  getEvent = (event: string) =>
    this.#transport.send<Out<typeof eventViewSchema>>("GET", `/v1/events/${segment(event)}`);

  /** Delivers a webhook as a provider would; the key of the client does not count. */
  deliver = async ({ tenant, trigger_id: trigger, body, headers = {} }: Delivery) => {
    const path = tenant === undefined ? segment(trigger) : `${segment(tenant)}/${segment(trigger)}`;
    const response = await this.#transport.fetch(`/hooks/${path}`, { method: "POST", headers, body });
    return (await response.json()) as Receipt;
  };
}
