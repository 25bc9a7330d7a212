import { type Answer, reject } from "../../src/engine/machine.ts";
import { acceptingBinding, definitionOf } from "../../src/engine/trigger/binding.ts";
import { claimIsExpired } from "../../src/engine/trigger/machine.ts";
import { dedupeKeyOf } from "../../src/engine/trigger/predicate/expressions.ts";
import type { EventDraft } from "./event-draft.ts";
import { isDedupeKey } from "./keyed-events.ts";
import type { TriggerParts } from "./trigger-parts.ts";
import type { Delivery } from "./trigger-requests.ts";
import type { Tick } from "./trigger-ticks.ts";

/** Takes events in under the version of the binding that accepts now (spec/triggers 7). */
export class EventIntake {
  readonly #parts: TriggerParts;

  constructor(parts: TriggerParts) {
    this.#parts = parts;
  }

  /** The event of a delivery, told of it and not committed yet; or why it has to be delivered in another way. */
  accept({ tenant, version, key: rowKey, ...delivery }: Delivery): Answer<EventDraft> | "stale" {
    const { book, hosting, state } = this.#parts;
    const binding = acceptingBinding(state());
    if (!binding.ok) return { ok: false, rejection: binding.error };
    if (binding.value.version !== version) return "stale";
    const { key: claimed, reason } = dedupeKeyOf(binding.value.definition.dedupe_key, delivery.event);
    const key = rowKey ?? claimed;
    if (!isDedupeKey(key))
      return reject("invalid_request", "the dedupe key is empty or begins with a control character");
    const known = book.draft(key);
    const draft = claimIsExpired(known.state, hosting.context().now) ? book.blank(key) : known;
    const problem = reason === null ? {} : { dedupe_problem: reason };
    const event = { ...delivery.event, dedupe_key: claimed };
    const command = { ...delivery, ...problem, event, binding: binding.value, tenant_id: tenant };
    const refusal = draft.tell({ type: "accept", ...command });
    return refusal === null ? { ok: true, reply: draft } : { ok: false, rejection: refusal };
  }

  /** The same at a shard; `seq` is the newest change of the trigger that whoever verified the delivery knew of. */
  acceptInShard(delivery: Delivery, seq: number | null): Answer<EventDraft> | "stale" | "behind" {
    const { replica, state } = this.#parts;
    const known = replica.seq;
    if (definitionOf(state(), delivery.version) === null || (seq ?? known) > known) return "behind";
    // Paused, deleted or with other secrets: whoever verified it did not know yet.
    return (seq ?? known) < known ? "stale" : this.accept(delivery);
  }

  /** Takes in a tick within the transaction of its clock; one that was taken in before is no error. */
  acceptTick({ event, tenant }: Tick): EventDraft | null {
    const { book, commits, state } = this.#parts;
    const binding = acceptingBinding(state());
    const draft = book.draft(event.dedupe_key);
    if (!binding.ok || !draft.isNew) return null;
    const refusal = draft.tell({ type: "accept", event, binding: binding.value, tenant_id: tenant });
    if (refusal !== null) throw new Error(`a tick was not accepted: ${event.dedupe_key}`);
    commits.write([draft]);
    return draft;
  }
}
