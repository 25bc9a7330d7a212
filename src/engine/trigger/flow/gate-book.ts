import { byCodePoint } from "../../../lib/json.ts";
import type { Timestamp } from "../../../lib/time.ts";
import { Heap } from "./heap.ts";
import { HitLog } from "./hit-log.ts";
import { permitsOf, type FlowHits, type FlowPrimitive, type FlowTicket, type RequirementOf } from "./ticket.ts";
import { WaitingLine, type Waiter } from "./waiting-line.ts";

/** A `rate_limit` or `throttle` gate. */
export interface WindowGate {
  readonly log: HitLog;
  readonly waiting: Heap<FlowTicket>;
}

/** A `singleton` or `concurrency` gate. */
export interface PermitGate {
  readonly holders: Set<string>;
  readonly line: WaitingLine;
}

/** Something to do at a time: with a gate, or with the lease of a ticket. */
export interface Due {
  readonly kind: "batch" | "debounce" | "throttle" | "lease";
  /** The key of the gate, or the id of the ticket. */
  readonly key: string;
  readonly at: Timestamp;
  readonly seq: number;
}

interface Expiry {
  readonly hits: Pick<FlowHits, "primitive" | "gate">;
  readonly at: Timestamp;
}

type Gate = { readonly primitive: FlowPrimitive; readonly gate: string };

const bySeq = (a: FlowTicket, b: FlowTicket): number => a.seq - b.seq || byCodePoint(a.id, b.id);

const byTime = (a: Due, b: Due): number =>
  a.at - b.at || a.seq - b.seq || byCodePoint(a.kind, b.kind) || byCodePoint(a.key, b.key);

/** The key of a gate in memory: gates of different kinds never meet. */
export const gateKey = ({ primitive, gate }: Gate): string => `${primitive} ${gate}`;

/** The key of something to do among all that is to be done. */
export const dueKey = ({ kind, key }: Pick<Due, "kind" | "key">): string => (kind === "lease" ? `lease ${key}` : key);

const waiterOf = (ticket: FlowTicket, at: RequirementOf<"singleton" | "concurrency">): Waiter => ({
  id: ticket.id,
  seq: ticket.seq,
  rank: at.primitive === "concurrency" ? at.rank : 0,
  fair_key: at.primitive === "concurrency" ? at.fair_key : "",
});

/** The indexes over all tickets: everything in them follows from the rows, so that a rebuilt book is the same book. */
export class GateBook {
  readonly tickets = new Map<string, FlowTicket>();
  readonly due = new Heap<Due>(byTime);
  readonly #groups = new Map<string, Heap<FlowTicket>>();
  readonly #windows = new Map<string, WindowGate>();
  readonly #permits = new Map<string, PermitGate>();
  readonly #expiries = new Heap<Expiry>((a, b) => a.at - b.at || byCodePoint(gateKey(a.hits), gateKey(b.hits)));

  /** Who waits at a `batch` gate, or the one candidate of a `debounce` gate; undefined when there is nobody. */
  group(key: string): Heap<FlowTicket> | undefined {
    return this.#groups.get(key);
  }

  window(key: string): WindowGate {
    return entryOf(this.#windows, key, () => ({ log: new HitLog(), waiting: new Heap<FlowTicket>(bySeq) }));
  }

  permit(key: string): PermitGate {
    return entryOf(this.#permits, key, () => ({ holders: new Set<string>(), line: new WaitingLine() }));
  }

  /** Takes a row of hits in. */
  restore(hits: FlowHits): void {
    const key = gateKey(hits);
    const log = new HitLog(hits.times);
    this.#windows.set(key, { log, waiting: this.window(key).waiting });
    this.#expiries.set(key, { hits, at: (log.last ?? 0) + hits.period_ms });
  }

  /** Counts a hit; returns what makes the row. */
  hit(at: RequirementOf<"rate_limit" | "throttle">, now: Timestamp): () => FlowHits {
    const { primitive, gate, period_ms } = at;
    const key = gateKey(at);
    const { log } = this.window(key);
    log.add(now, period_ms);
    this.#expiries.set(key, { hits: { primitive, gate }, at: (log.last ?? now) + period_ms });
    return () => ({ primitive, gate, period_ms, times: log.times() });
  }

  /** Forgets the hits of a gate, all expired; returns the row, now empty, or null when there is no such gate. */
  sweep(now: Timestamp): FlowHits | null {
    const first = this.#expiries.first();
    if (first === undefined || first.at > now) return null;
    const key = gateKey(first.hits);
    this.#expiries.remove(key);
    const { primitive, gate } = first.hits;
    const { waiting } = this.window(key);
    if (waiting.size === 0) this.#windows.delete(key);
    else this.#windows.set(key, { log: new HitLog(), waiting });
    this.#refresh(primitive, key);
    return { primitive, gate, period_ms: 0, times: [] };
  }

  /** Enters a ticket in every index. */
  place(ticket: FlowTicket): void {
    this.tickets.set(ticket.id, ticket);
    const at = ticket.requirements[ticket.stage];
    if (ticket.state === "parked" && at !== undefined) {
      const key = gateKey(at);
      if (at.primitive === "batch" || at.primitive === "debounce") {
        entryOf(this.#groups, key, () => new Heap<FlowTicket>(bySeq)).set(ticket.id, ticket);
      } else if (at.primitive === "throttle") this.window(key).waiting.set(ticket.id, ticket);
      else if (at.primitive !== "rate_limit") this.permit(key).line.add(waiterOf(ticket, at));
      this.#refresh(at.primitive, key);
    }
    for (const permit of permitsOf(ticket)) {
      const { holders, line } = this.permit(gateKey(permit));
      holders.add(ticket.id);
      line.hold(waiterOf(ticket, permit).fair_key, 1);
    }
    this.refreshLease(ticket.id);
  }

  /** Takes a ticket out of every index. */
  lift(ticket: FlowTicket): void {
    this.tickets.delete(ticket.id);
    const at = ticket.requirements[ticket.stage];
    if (ticket.state === "parked" && at !== undefined) {
      const key = gateKey(at);
      if (at.primitive === "batch" || at.primitive === "debounce") this.#removeFromGroup(key, ticket.id);
      else if (at.primitive === "throttle") this.window(key).waiting.remove(ticket.id);
      else if (at.primitive !== "rate_limit") this.permit(key).line.remove(waiterOf(ticket, at));
      this.#refresh(at.primitive, key);
      this.dropEmptyPermit(key);
    }
    for (const permit of permitsOf(ticket)) {
      const key = gateKey(permit);
      const { holders, line } = this.permit(key);
      holders.delete(ticket.id);
      line.hold(waiterOf(ticket, permit).fair_key, -1);
      this.dropEmptyPermit(key);
    }
    this.refreshLease(ticket.id);
  }

  /** Puts something that was taken out of `due` back, if it is still to be done. */
  remind({ kind, key }: Due): void {
    if (kind === "lease") this.refreshLease(key);
    else this.#refresh(kind, key);
  }

  /** Enters when the lease of a ticket ends, or that it has none. */
  refreshLease(id: string): void {
    const ticket = this.tickets.get(id);
    const at = ticket?.lease_until_ms ?? null;
    if (ticket === undefined || at === null) this.due.remove(dueKey({ kind: "lease", key: id }));
    else this.due.set(dueKey({ kind: "lease", key: id }), { kind: "lease", key: id, at, seq: ticket.seq });
  }

  #refresh(kind: FlowPrimitive, key: string): void {
    if (kind !== "batch" && kind !== "debounce" && kind !== "throttle") return;
    const head = kind === "throttle" ? this.window(key).waiting.first() : this.#groups.get(key)?.first();
    const at = head === undefined ? null : kind === "throttle" ? this.#roomAt(key, head) : head.due_at_ms;
    if (head === undefined || at === null) this.due.remove(key);
    else this.due.set(key, { kind, key, at, seq: head.seq });
  }

  /** A gate that has just let somebody through comes after the others that have room: none can starve the rest. */
  #roomAt(key: string, head: FlowTicket): Timestamp {
    const at = head.requirements[head.stage];
    const { log } = this.window(key);
    const room = at?.primitive === "throttle" ? log.roomAt(at.max, at.period_ms) : null;
    return Math.max(room ?? head.arrived_at_ms, log.last ?? 0, head.arrived_at_ms);
  }

  #removeFromGroup(key: string, id: string): void {
    const group = this.#groups.get(key);
    group?.remove(id);
    if (group?.size === 0) this.#groups.delete(key);
  }

  dropEmptyPermit(key: string): void {
    const gate = this.#permits.get(key);
    if (gate !== undefined && gate.holders.size === 0 && gate.line.isEmpty) this.#permits.delete(key);
  }
}

const entryOf = <V>(map: Map<string, V>, key: string, make: () => V): V => {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
};
