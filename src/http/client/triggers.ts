import type * as z from "zod";
import type { cronTicksSchema } from "../../schema/api-cron.ts";
import type { Receipt, triggerPageSchema, TriggerReport, unknownDeliveryPageSchema } from "../../schema/trigger.ts";
import type { triggerDefinitionSchema } from "../../schema/trigger-definition.ts";
import type { manifestSchema, ManifestSummary, manifestViewSchema } from "../../schema/trigger-manifest.ts";
import type { Handshake, RotatedSecret, rotateSecretSchema } from "../../schema/trigger-secret.ts";
import type { eventPageSchema, eventViewSchema } from "../../schema/trigger-event.ts";
import type { CircuitReport, TriggerStats } from "../../schema/trigger-stats.ts";
import { type CallOptions, type Out, type Query, segment, type Transport } from "./transport.ts";

/** Where a webhook is delivered; without a tenant the trigger is the default tenant's. */
type HookAddress = { readonly tenant?: string } & (
  | { readonly trigger_id: string; readonly path?: undefined }
  /** The trigger's path instead of its hook. */
  | { readonly path: string }
);

/** A webhook as its provider sends it; the headers carry the signature. */
type Delivery = HookAddress & { readonly body: string; readonly headers?: Readonly<Record<string, string>> };

const hookOf = (address: HookAddress): string => {
  const { tenant } = address;
  if (address.path !== undefined)
    return tenant === undefined ? address.path : `/tenant/${segment(tenant)}${address.path}`;
  const trigger = segment(address.trigger_id);
  return tenant === undefined ? `/hooks/${trigger}` : `/hooks/${segment(tenant)}/${trigger}`;
};

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
  /** Puts many triggers as one; those that an earlier manifest put and this one does not name are deleted. */
  putManifest = (body: z.input<typeof manifestSchema>) =>
    this.#transport.send<ManifestSummary>("PUT", "/v1/manifest", { body });
  getManifest = () => this.#transport.send<Out<typeof manifestViewSchema>>("GET", "/v1/manifest");
  /** Without an idempotency key in `call` a lost answer loses the secret that was made. */
  rotateSecret = (trigger: string, body: z.input<typeof rotateSecretSchema>, call: CallOptions = {}) =>
    this.#transport.send<RotatedSecret>("POST", `/v1/triggers/${segment(trigger)}/rotate_secret`, { body, call });
  resealSecret = (trigger: string, call: CallOptions = {}) =>
    this.#transport.send<TriggerReport>("POST", `/v1/triggers/${segment(trigger)}/reseal`, { call });
  /** The token that a provider sent to verify the address of a trigger without a secret. */
  getHandshake = (trigger: string) =>
    this.#transport.send<Handshake>("GET", `/v1/triggers/${segment(trigger)}/handshake`);
  stats = (trigger: string, query: Query = {}) =>
    this.#transport.send<TriggerStats>("GET", `/v1/triggers/${segment(trigger)}/stats`, { query });
  /** Closes the circuit of the trigger's destination. */
  resetCircuit = (trigger: string, call: CallOptions = {}) =>
    this.#transport.send<CircuitReport>("POST", `/v1/triggers/${segment(trigger)}/reset_circuit`, { call });
  /** Counters, gauges and histograms as Prometheus reads them. */
  metrics = async () => (await this.#transport.fetch("/metrics", { headers: {} })).text();
  listUnknownDeliveries = (query: Query = {}) =>
    this.#transport.send<Out<typeof unknownDeliveryPageSchema>>("GET", "/v1/unknown_deliveries", { query });
  listEvents = (query: Query = {}) => this.#transport.send<Out<typeof eventPageSchema>>("GET", "/v1/events", { query });
  getEvent = (event: string) =>
    this.#transport.send<Out<typeof eventViewSchema>>("GET", `/v1/events/${segment(event)}`);
  /** The body of an event's delivery, byte by byte. */
  getEventBody = async (event: string): Promise<Uint8Array> => {
    const response = await this.#transport.fetch(`/v1/events/${segment(event)}/body`, { headers: {} });
    return new Uint8Array(await response.arrayBuffer());
  };
  /** The next ticks of a cron schedule: `schedule`, and `timezone`, `count` and `after` if need be. */
  previewCron = (query: Query) => this.#transport.send<Out<typeof cronTicksSchema>>("GET", "/v1/cron/next", { query });

  /** Delivers a webhook as a provider would; the key of the client does not count. */
  deliver = async ({ body, headers = {}, ...address }: Delivery) => {
    const response = await this.#transport.fetch(hookOf(address), { method: "POST", headers, body });
    return (await response.json()) as Receipt;
  };
}
