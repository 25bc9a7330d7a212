import type { Admission } from "../../src/engine/trigger/admission.ts";
import type { EventRecord } from "../../src/engine/trigger/event.ts";
import { delayAfter, retryOf } from "../../src/engine/trigger/retry.ts";
import { dropVerdict, keepVerdict, keptVerdict } from "./coordinated.ts";
import type { EventDraft } from "./event-draft.ts";
import type { Judgement } from "./predicate-desk.ts";
import type { TriggerParts } from "./trigger-parts.ts";
import type { Coordination } from "./trigger-requests.ts";

const HELD: Admission = { type: "admitted", verdicts: [], batch: null };
const PARKED: Admission = { type: "parked", verdicts: [], due_at: null };

/** The longest wait that may follow an attempt that begins or goes on now: the permits are held over it. */
const nextWait = ({ binding, attempts, status, dispatch_id }: EventRecord): number => {
  const attempt = attempts.length + (status === "dispatching" ? 0 : 1);
  return delayAfter(retryOf(binding.definition.retry), attempt, dispatch_id ?? "") ?? 0;
};

/**
 * Decides for the events of a trigger's shards. A shard writes an answer down in a step of its own, which may be lost:
 * asked again, this object says the same, until it is told that the event is over.
 */
export class ShardCoordinator {
  readonly #parts: TriggerParts;

  constructor(parts: TriggerParts) {
    this.#parts = parts;
  }

  /** Whether an event is handled now, or whether it still holds its permits. */
  coordinate(ticket: string, record: EventRecord, judgement?: Judgement): Coordination {
    const { commits, outbox, hosting } = this.#parts;
    const kept = record.is_admitted ? null : keptVerdict(hosting.store, ticket);
    const said = this.#decide(ticket, record, { kept, judgement });
    commits.control.renew(ticket, this.#now() + nextWait(record));
    const isFresh = said !== kept && commits.control.isNews(ticket, said.type);
    this.#commit((drafts) => {
      if (isFresh && (said.type === "admitted" || said.type === "parked" || said.type === "skipped"))
        keepVerdict(hosting.store, ticket, said);
      // The shard has asked: from here on it looks after the event.
      outbox.forget(ticket);
      commits.move(drafts);
    });
    return said;
  }

  /** An event is over. */
  leave(ticket: string): void {
    const { commits, outbox, hosting } = this.#parts;
    this.#commit((drafts) => {
      dropVerdict(hosting.store, ticket);
      outbox.forget(ticket);
      commits.control.leave(ticket, this.#now());
      commits.move(drafts);
    });
  }

  #decide(
    ticket: string,
    record: EventRecord,
    { kept, judgement }: { readonly kept: Admission | null; readonly judgement: Judgement | undefined },
  ): Coordination {
    const { control } = this.#parts.commits;
    const now = this.#now();
    if (record.is_admitted) return control.hold(ticket, now) ? HELD : PARKED;
    // It was let through, but what it was given may have been taken back before it asked.
    if (kept?.type === "admitted") return control.hold(ticket, now) ? kept : PARKED;
    if (kept?.type === "skipped") return kept;
    // What was judged once is not judged again.
    const judged: EventRecord = kept === null ? record : { ...record, status: "parked" };
    return control.admit(judged, { key: ticket, now, judgement });
  }

  #commit(body: (drafts: EventDraft[]) => void): void {
    const { commits } = this.#parts;
    const drafts: EventDraft[] = [];
    commits.transaction(() => body(drafts));
    commits.publish(drafts, null);
  }

  #now(): number {
    return this.#parts.hosting.context().now;
  }
}
