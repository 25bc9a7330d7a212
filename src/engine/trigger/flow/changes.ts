import type { FlowAudit, FlowHits, FlowPrimitive, FlowSkip, FlowTicket } from "./ticket.ts";

/** A dispatch that goes on now. */
export interface FlowWoken {
  readonly id: string;
  /** Of the leader of a group: the ids of all its members, itself first; empty without a batch. */
  readonly members: readonly string[];
}

/** A dispatch that does not go on. */
export interface FlowSkipped {
  readonly id: string;
  readonly reason: FlowSkip;
  /** The leader that carries a merged member. */
  readonly leader: string | null;
}

/** What one operation changed. Everything in it is committed together, or the flow control is rebuilt from its rows. */
export interface FlowChanges {
  /** Rows to write. */
  readonly tickets: readonly FlowTicket[];
  /** Rows to delete. */
  readonly removed: readonly string[];
  /** Rows to write; those without times are to be deleted. */
  readonly hits: readonly FlowHits[];
  readonly woken: readonly FlowWoken[];
  readonly skipped: readonly FlowSkipped[];
  /** Dispatches whose permits ran out: they are suspended until they resume or leave. */
  readonly expired: readonly string[];
  readonly audit: readonly FlowAudit[];
  /** Whether `wake` has more to do at the same time. */
  readonly more: boolean;
}

/** Collects what one operation changes. */
export class ChangeSet {
  readonly #tickets = new Map<string, FlowTicket | null>();
  readonly #hits = new Map<string, () => FlowHits>();
  readonly #woken = new Map<string, FlowWoken>();
  readonly #skipped = new Map<string, FlowSkipped>();
  readonly #expired: string[] = [];
  readonly #audit: FlowAudit[] = [];

  /** How many tickets have changed. */
  get size(): number {
    return this.#tickets.size;
  }

  put(ticket: FlowTicket): void {
    this.#tickets.set(ticket.id, ticket);
  }

  remove(id: string): void {
    this.#tickets.set(id, null);
  }

  /** The row is made once, however often the gate is hit. */
  hits(gateKey: string, row: () => FlowHits): void {
    this.#hits.set(gateKey, row);
  }

  woken(woken: FlowWoken): void {
    this.#woken.set(woken.id, woken);
  }

  skipped(skipped: FlowSkipped): void {
    this.#skipped.set(skipped.id, skipped);
  }

  expired(id: string): void {
    this.#expired.push(id);
  }

  audit(requirement: { readonly primitive: FlowPrimitive; readonly gate: string }, record: AuditRecord): void {
    const { primitive, gate } = requirement;
    const topic = `trigger.${primitive}.${gate.replaceAll(/[^A-Za-z0-9._-]/gu, "_")}`;
    const { kind, ...details } = record;
    this.#audit.push({ topic, gate, kind, payload: { gate, ...details } });
  }

  /** What became of a dispatch in this operation; it is then no longer listed among the others. */
  takeOutcome(id: string): FlowWoken | FlowSkipped | null {
    const outcome = this.#woken.get(id) ?? this.#skipped.get(id) ?? null;
    this.#woken.delete(id);
    this.#skipped.delete(id);
    return outcome;
  }

  /** Everything collected. Tickets in `fresh` never had a row: when they are gone again, none is deleted. */
  toChanges(more = false, fresh: string | null = null): FlowChanges {
    const entries = [...this.#tickets];
    return {
      tickets: entries.flatMap(([, ticket]) => (ticket === null ? [] : [ticket])),
      removed: entries.flatMap(([id, ticket]) => (ticket === null && id !== fresh ? [id] : [])),
      hits: [...this.#hits.values()].map((row) => row()),
      woken: [...this.#woken.values()],
      skipped: [...this.#skipped.values()],
      expired: this.#expired,
      audit: this.#audit,
      more,
    };
  }
}

type AuditRecord = { readonly kind: string } & Readonly<Record<string, string | number>>;
