import type { CircuitVerdict } from "../../src/engine/trigger/event.ts";
import { destinationOf, hasCircuit } from "../../src/engine/trigger/definition-handler.ts";
import { dispatchIdFor } from "../../src/engine/trigger/dispatch.ts";
import { nextStep } from "../../src/engine/trigger/proceed.ts";
import type { EventDraft } from "./event-draft.ts";
import { leaseOf } from "./event-waking.ts";
import { handlerCall } from "./trigger-orders.ts";
import type { TriggerParts } from "./trigger-parts.ts";
import type { DispatchGiven, Order } from "./trigger-requests.ts";

const CLOSED: CircuitVerdict = { type: "closed" };

/** Takes events from their acceptance to their handler (spec/triggers 8): step by step, each with what the outside has to do. */
export class EventDispatch {
  readonly #parts: TriggerParts;

  constructor(parts: TriggerParts) {
    this.#parts = parts;
  }

  /** Takes an event as far as it goes without help, and says what help it needs. */
  advance(draft: EventDraft, given: DispatchGiven): Order | null {
    const now = this.#now();
    if (nextStep(draft.record, now) === "admission") {
      const order = this.#admit(draft, given);
      if (order !== null) return order;
    }
    return nextStep(draft.record, now) === "attempt" ? this.#attempt(draft, given) : null;
  }

  /** Asks whether an event is handled now, here or where the shards are coordinated. */
  #admit(draft: EventDraft, given: DispatchGiven): Order | null {
    const now = this.#now();
    const ticket = this.#parts.commits.ticketOf(draft);
    if (ticket !== null && given.admission === undefined) return { type: "coordinate", ticket, record: draft.record };
    const admission =
      given.admission ??
      this.#parts.commits.control.admit(draft.record, { key: draft.key, now, judgement: given.judgement });
    if (admission.type === "ask") return { type: "ask_model", question: admission.question };
    if (admission.type !== "asked") draft.tell({ type: "admit", admission });
    return null;
  }

  /** Begins the next attempt where nothing stands in its way. */
  #attempt(draft: EventDraft, given: DispatchGiven): Order | null {
    const { definition } = draft.record.binding;
    const isNext = draft.record.status !== "dispatching";
    if (isNext && hasCircuit(definition) && given.circuit === undefined) {
      const { binding, event, replay, attempts } = draft.record;
      // Whoever makes the same attempt is the same probe.
      const attempt_id = `${dispatchIdFor(binding, event.id, replay?.number)}#${attempts.length + 1}`;
      return { type: "check_circuit", destination: destinationOf(definition), attempt_id };
    }
    const ticket = this.#parts.commits.ticketOf(draft);
    // Also of an attempt that goes on: its permits are held for as long as somebody says that it does.
    if (ticket !== null && given.admission === undefined) return { type: "coordinate", ticket, record: draft.record };
    // Permits that were lost meanwhile have to be had again; the event is woken when they are.
    if (isNext && !this.#holds(draft, ticket, given)) return null;
    draft.tell({ type: "attempt", circuit: given.circuit ?? CLOSED, lease_ms: leaseOf(draft.record) });
    if (!draft.effects.some(({ type }) => type === "handle")) return null;
    return {
      type: "handle",
      call: handlerCall(draft.record, this.#parts.book.batchOf(draft.record)),
    };
  }

  #holds(draft: EventDraft, ticket: string | null, given: DispatchGiven): boolean {
    if (ticket !== null) return given.admission?.type === "admitted";
    return this.#parts.commits.control.hold(draft.key, this.#now());
  }

  #now(): number {
    return this.#parts.hosting.context().now;
  }
}
