import type { ConnectorBinding, SignedRequest } from "../../src/connectors/connector.ts";
import { harnAnswer, textAnswer } from "../../src/connectors/harn-answer.ts";
import { IngestBuckets } from "../../src/connectors/ingest-bucket.ts";
import { type Accepted, type Arrival, type Handshake, receive, type Reception } from "../../src/connectors/receive.ts";
import { connectorFor } from "../../src/connectors/registry.ts";
import type { SignatureRejection } from "../../src/connectors/webhook-error.ts";
import { isObject, type JsonObject } from "../../src/lib/json.ts";
import { type NormalisedEvent } from "../../src/schema/trigger.ts";
import { MAX_BODY_BYTES, type StoredDefinition } from "../../src/schema/trigger-definition.ts";
import type { VirtualClock } from "./clock.ts";
import { valueOf } from "./operation.ts";
import { TriggerHost } from "./trigger-host.ts";
import type { Values } from "./values.ts";

/** A trigger as a delivery finds it. */
export interface Addressed {
  readonly provider: string;
  readonly trigger_id: string;
  readonly binding: ConnectorBinding;
  readonly request: Omit<SignedRequest, "content">;
}

interface HookReceipt {
  readonly event_id: string;
  readonly dedupe_key: string;
}

interface AcceptedEvent extends NormalisedEvent {
  readonly trigger_id: string;
}

const PUSH_KEYS = [
  "auth_scheme",
  "expected_iss",
  "expected_aud",
  "audience",
  "jwks_url",
  "jwks",
  "expected_token",
  "token",
];

/** The original has the settings of a push beside the others, or in a table of their own. */
const pushSettings = (binding: JsonObject): JsonObject | undefined => {
  if (isObject(binding["a2a_push"])) return binding["a2a_push"];
  const given = Object.entries(binding).filter(([key, value]) => PUSH_KEYS.includes(key) && value !== null);
  if (given.length === 0) return undefined;
  const { audience, token, ...settings } = Object.fromEntries(given);
  return {
    ...(audience === undefined ? {} : { expected_aud: audience }),
    ...(token === undefined ? {} : { expected_token: token }),
    ...settings,
  };
};

/** A binding as vectors write it: always one of the original. */
export const bindingOf = (id: string, value: JsonObject = {}): ConnectorBinding => {
  const { a2a_push: _push, ...settings } = value;
  const push = pushSettings(value);
  return { id, ...settings, ...(push === undefined ? {} : { a2a_push: push }), compatibility: "harn" };
};

/** The hooks of a system: the product's receiving on its machines and storage. */
export class Hooks {
  readonly audit: SignatureRejection[] = [];
  readonly handshakes: Handshake[] = [];
  readonly accepted: AcceptedEvent[] = [];
  readonly #clock: VirtualClock;
  readonly #values: Values;
  readonly #buckets = new IngestBuckets();
  readonly #hosts = new Map<string, TriggerHost>();

  constructor(clock: VirtualClock, values: Values) {
    this.#clock = clock;
    this.#values = values;
  }

  /** Receives a delivery for a trigger. */
  receive(to: Addressed): Promise<Reception<HookReceipt, never>> {
    const { request, binding, provider } = to;
    const incoming = { request, binding, connector: valueOf(connectorFor(provider)), max_bytes: MAX_BODY_BYTES };
    return receive(incoming, {
      keys: () => Promise.resolve(null),
      accept: (arrival) => Promise.resolve(this.#accept(to, arrival)),
      keepHandshake: async (handshake) => void this.handshakes.push(handshake),
      audit: (rejection) => void this.audit.push(rejection),
    });
  }

  /** The answer to a delivery at an address. */
  async deliver(request: Omit<SignedRequest, "secrets" | "content">) {
    const route = this.#routes().find((one) => one["path"] === request.path);
    if (route === undefined) return textAnswer(404, "trigger route not configured");
    const trigger_id = String(route["trigger_id"]);
    const limit = route["ingest_per_minute"];
    if (typeof limit === "number") {
      const seconds = this.#buckets.take(trigger_id, limit, request.now);
      if (seconds !== null) return textAnswer(503, "ingest saturated", { "retry-after": String(seconds) });
    }
    const secrets = typeof route["secret"] === "string" ? [route["secret"]] : [];
    const binding = bindingOf(trigger_id, isObject(route["binding"]) ? route["binding"] : {});
    const provider = String(route["provider"]);
    const reception = await this.receive({ provider, trigger_id, binding, request: { ...request, secrets } });
    const connector = valueOf(connectorFor(provider));
    return harnAnswer(reception, { connector, trigger_id }) ?? textAnswer(500, "the trigger gave no answer");
  }

  close(): void {
    for (const host of this.#hosts.values()) host.close();
  }

  #routes(): readonly JsonObject[] {
    const routes = this.#values.surrounding("routes");
    return Array.isArray(routes) ? routes.filter(isObject) : [];
  }

  #accept({ trigger_id, provider, request }: Addressed, { event }: Arrival): Accepted<HookReceipt, never> {
    const known = this.#hosts.get(trigger_id);
    // A delivery brings its time along.
    const context = { now: request.now, nextId: (prefix: string) => this.#clock.nextId(prefix) };
    const host = known ?? new TriggerHost(trigger_id, { now: request.now, context });
    this.#hosts.set(trigger_id, host);
    host.clock = { now: request.now, context };
    host.configure(definitionOf(provider));
    const { reply } = host.accept({ tenant: null, event });
    if (reply?.type !== "receipt") throw new Error("the event was not accepted");
    const { event_id, duplicate } = reply;
    if (!duplicate) this.accepted.push({ ...event, trigger_id });
    return { type: "accepted", receipt: { event_id, dedupe_key: event.dedupe_key }, duplicate };
  }
}

const definitionOf = (provider: string): StoredDefinition => ({
  provider: provider as "webhook",
  kind: "webhook",
  match: {},
  handler: { workflow: "none" },
  dedupe: { retention_days: 7 },
  max_body_bytes: MAX_BODY_BYTES,
});
