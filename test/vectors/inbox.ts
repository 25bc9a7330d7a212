import { type JsonObject } from "../../src/lib/json.ts";
import { rfc3339 } from "../../src/lib/time.ts";
import type { TriggerEvent } from "../../src/schema/trigger.ts";
import type { VirtualClock } from "./clock.ts";
import type { Dispatcher } from "./dispatcher.ts";

/** An event with the trigger it is meant for; without one it goes to all that match (spec/triggers 7.3). */
export interface Envelope {
  readonly trigger_id: string | null;
  readonly binding_version: number | null;
  readonly event: TriggerEvent;
}

const TOPIC = "trigger.inbox.envelopes";

/** The inbox of a system: envelopes in the log, and who takes them from there (spec/triggers 7.3 to 7.5). */
export class Inbox {
  readonly #clock: VirtualClock;
  readonly #dispatcher: Dispatcher;
  readonly #envelopes: Envelope[] = [];
  /** The first envelope that was not taken; null before somebody takes any: what came before is left. */
  #cursor: number | null = null;
  #isTaken = false;

  constructor(clock: VirtualClock, dispatcher: Dispatcher) {
    this.#clock = clock;
    this.#dispatcher = dispatcher;
  }

  put(envelope: Envelope): { readonly event_id: string; readonly inbox_offset: number } {
    const { trigger_id, binding_version, event } = envelope;
    const { id: event_id, trace_id, provider, kind, tenant_id } = event;
    const binding = trigger_id === null || binding_version === null ? null : `${trigger_id}@v${binding_version}`;
    const headers = {
      event_id,
      trace_id,
      provider,
      kind,
      ...(tenant_id === null ? {} : { tenant_id }),
      ...(trigger_id === null ? {} : { trigger_id }),
      ...(binding === null ? {} : { binding_key: binding }),
    };
    const payload = JSON.parse(JSON.stringify(envelope)) as JsonObject;
    this.#dispatcher.log.append(TOPIC, { kind: "event_ingested", headers, payload });
    this.#envelopes.push(envelope);
    this.#take();
    return { event_id, inbox_offset: this.#envelopes.length };
  }

  /** Takes envelopes from now on, after the last one that was taken. */
  start(): void {
    this.#cursor ??= this.#envelopes.length;
    this.#isTaken = true;
    this.#take();
  }

  restart(): void {
    this.#isTaken = false;
  }

  /** Envelopes whose event has no record of a dispatch (spec/triggers 15). */
  stranded(minAgeMs: number): readonly JsonObject[] {
    const found = this.#envelopes.flatMap((envelope, index) => {
      const { trigger_id, binding_version, event } = envelope;
      const age_ms = this.#clock.now - Date.parse(event.received_at);
      if (age_ms < minAgeMs || this.#hasOutboxRecord(envelope)) return [];
      const { id: event_id, provider, kind } = event;
      const received_at = rfc3339(Date.parse(event.received_at));
      const described = { event_id, trigger_id, binding_version, provider, kind, received_at };
      return [{ inbox_offset: index + 1, ...described, age: age_ms, age_ms }];
    });
    const order = ({ received_at, event_id }: (typeof found)[number]): string => `${received_at} ${event_id}`;
    return found.toSorted((left, right) => (order(left) < order(right) ? -1 : 1));
  }

  #hasOutboxRecord({ trigger_id, event }: Envelope): boolean {
    return this.#dispatcher.log
      .everywhere("trigger.outbox")
      .some(
        ({ headers }) =>
          headers["event_id"] === event.id && (trigger_id === null || headers["trigger_id"] === trigger_id),
      );
  }

  #take(): void {
    if (!this.#isTaken || this.#cursor === null) return;
    for (; this.#cursor < this.#envelopes.length; this.#cursor += 1) {
      const envelope = this.#envelopes[this.#cursor];
      if (envelope !== undefined) this.#route(envelope);
    }
  }

  #route({ trigger_id, event }: Envelope): void {
    const { cron_id } = event.provider_payload;
    const target = trigger_id ?? (typeof cron_id === "string" ? cron_id : null);
    const isKnown = target === null || this.#dispatcher.hosts.some(({ id }) => id === target);
    // For a trigger that does not exist the envelope stays where it is.
    if (isKnown) this.#dispatcher.start(event, target);
  }
}

/** An envelope from the arguments of an operation. */
export const envelopeOf = (event: TriggerEvent, args: JsonObject): Envelope => {
  const { trigger_id, binding_version } = args;
  return {
    trigger_id: typeof trigger_id === "string" ? trigger_id : null,
    binding_version: typeof binding_version === "number" ? binding_version : null,
    event,
  };
};
