import type { CircuitVerdict, EventRecord } from "../../src/engine/trigger/event.ts";
import { destinationOf, hasCircuit } from "../../src/engine/trigger/definition-handler.ts";
import { nextStep } from "../../src/engine/trigger/proceed.ts";
import { keptVerdict, needsCoordinator } from "./coordinated.ts";
import type { EventDraft } from "./event-draft.ts";
import { leaseOf } from "./event-waking.ts";
import type { Judgement } from "./predicate-desk.ts";
import { ticketText } from "./shard-ticket.ts";
import { handlerCall } from "./trigger-orders.ts";
import type { TriggerParts } from "./trigger-parts.ts";
import type { Coordination, DispatchGiven, Order } from "./trigger-requests.ts";

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

  /** Decides about an event of a shard: whether it is handled now, or whether it still holds its permits. */
  coordinate(ticket: string, record: EventRecord, judgement?: Judgement): Coordination {
    const { hosting, commits } = this.#parts;
    const kept = keptVerdict(hosting.store, ticket);
    if (kept !== null) return kept;
    const { control } = commits;
    const now = this.#now();
    const said: Coordination = record.is_admitted
      ? control.hold(ticket, now)
        ? { type: "admitted", verdicts: [], batch: null }
        : { type: "parked", verdicts: [], due_at: null }
      : control.admit(record, { key: ticket, now, judgement });
    commits.commit([], null);
    return said;
  }

  /** Asks whether an event is handled now, here or where the shards are coordinated. */
  #admit(draft: EventDraft, given: DispatchGiven): Order | null {
    const now = this.#now();
    const ticket = this.#ticketOf(draft.record, draft.key);
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
      const { binding, attempts } = draft.record;
      const attempt_id = `${binding.trigger_id}:${draft.key}#${attempts.length + 1}`;
      return { type: "check_circuit", destination: destinationOf(definition), attempt_id };
    }
    // Permits that were lost meanwhile have to be had again; the event is woken when they are.
    if (isNext && !this.#holds(draft, given)) {
      const ticket = this.#ticketOf(draft.record, draft.key);
      return ticket === null || given.admission !== undefined
        ? null
        : { type: "coordinate", ticket, record: draft.record };
    }
    draft.tell({ type: "attempt", circuit: given.circuit ?? CLOSED, lease_ms: leaseOf(draft.record) });
    if (!draft.effects.some(({ type }) => type === "handle")) return null;
    return {
      type: "handle",
      call: handlerCall(draft.record, this.#parts.book.batchOf(draft.record)),
    };
  }

  #holds(draft: EventDraft, given: DispatchGiven): boolean {
    if (this.#ticketOf(draft.record, draft.key) !== null) return given.admission?.type === "admitted";
    return this.#parts.commits.control.hold(draft.key, this.#now());
  }

  /** The ticket of an event at the coordinating object; null where this object decides by itself. */
  #ticketOf({ event, binding }: EventRecord, key: string): string | null {
    const { shard } = this.#parts.replica;
    if (shard === null || !needsCoordinator(binding.definition)) return null;
    return ticketText({ shard, tenant: event.tenant_id ?? "", event_id: event.id, key });
  }

  #now(): number {
    return this.#parts.hosting.context().now;
  }
}
