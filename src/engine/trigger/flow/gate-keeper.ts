import type { Timestamp } from "../../../lib/time.ts";
import type { ChangeSet } from "./changes.ts";
import { gateKey, type Due, type GateBook } from "./gate-book.ts";
import {
  isPermit,
  permitsOf,
  type FlowRequirement,
  type FlowSkip,
  type FlowTicket,
  type RequirementOf,
} from "./ticket.ts";

/** One operation: when it happens, and what it changes. */
export interface Turn {
  readonly now: Timestamp;
  readonly set: ChangeSet;
}

type Permit = RequirementOf<"singleton" | "concurrency">;
type Passage = "pass" | { readonly park_until: Timestamp | null } | { readonly skip: FlowSkip };

const WAIT: Passage = { park_until: null };

const limitOf = (permit: Permit): number => (permit.primitive === "singleton" ? 1 : permit.max);

const audited = ({ id }: FlowTicket, permit: Permit): { readonly token?: string; readonly max?: number } =>
  permit.primitive === "concurrency" ? { token: id, max: permit.max } : {};

/** What happens at each kind of gate (spec/triggers 10): takes tickets from gate to gate on the indexes of a book. */
export class GateKeeper {
  readonly #book: GateBook;
  readonly #leaseMs: number;

  constructor(book: GateBook, leaseMs: number) {
    this.#book = book;
    this.#leaseMs = leaseMs;
  }

  /** Takes a ticket that is in no index on, until it is parked, skipped or admitted. */
  advance(ticket: FlowTicket, turn: Turn): void {
    const { requirements } = ticket;
    for (let { stage } = ticket; stage < requirements.length; stage++) {
      const at = requirements[stage] as FlowRequirement;
      const passage = this.#arrive(ticket, at, turn);
      if (passage === "pass") continue;
      if ("skip" in passage) return this.#skip(ticket, { reason: passage.skip }, turn);
      this.#put({ ...ticket, stage, due_at_ms: passage.park_until }, turn);
      return this.#flushIfFull(at, turn);
    }
    turn.set.woken({ id: ticket.id, members: ticket.members });
    if (!requirements.some(isPermit)) return turn.set.remove(ticket.id);
    const lease_until_ms = turn.now + this.#leaseMs;
    this.#put({ ...ticket, stage: requirements.length, state: "admitted", due_at_ms: null, lease_until_ms }, turn);
  }

  /** Does one thing that is due. */
  step({ kind, key }: Due, turn: Turn): void {
    if (kind === "batch") this.#flush(key, turn);
    else if (kind === "debounce") this.#select(key, turn);
    else if (kind === "throttle") this.#letThrough(key, turn);
    else this.#expire(key, turn);
  }

  /** Takes a ticket out for good, wherever it is. */
  end(ticket: FlowTicket, turn: Turn): void {
    this.#book.lift(ticket);
    turn.set.remove(ticket.id);
    this.#released(ticket, turn);
  }

  /** Takes the permits of a ticket away; it has to ask for them again. */
  suspend(ticket: FlowTicket, turn: Turn): void {
    const stage = ticket.requirements.findIndex(isPermit);
    this.#book.lift(ticket);
    this.#put({ ...ticket, stage, state: "suspended", resumed: true, due_at_ms: null, lease_until_ms: null }, turn);
    this.#released(ticket, turn);
  }

  #put(ticket: FlowTicket, { set }: Turn): void {
    this.#book.place(ticket);
    set.put(ticket);
  }

  #skip({ id }: FlowTicket, why: { readonly reason: FlowSkip; readonly leader?: string }, { set }: Turn): void {
    set.remove(id);
    set.skipped({ id, reason: why.reason, leader: why.leader ?? null });
  }

  #arrive(ticket: FlowTicket, at: FlowRequirement, turn: Turn): Passage {
    switch (at.primitive) {
      case "batch":
        return this.#joinGroup(ticket, at, turn);
      case "debounce":
        return this.#replaceCandidate(ticket, at, turn);
      case "rate_limit":
        return this.#passLimit(at, turn);
      case "throttle":
        return this.#passThrottle(at, turn);
      case "singleton":
      case "concurrency":
        return this.#takePermit(ticket, at, turn);
    }
  }

  #joinGroup({ id }: FlowTicket, at: RequirementOf<"batch">, turn: Turn): Passage {
    const key = gateKey(at);
    if (this.#isDue(key, turn)) this.#flush(key, turn);
    turn.set.audit(at, { kind: "batch_enqueued", token: id, size: at.size });
    return { park_until: this.#book.group(key)?.first()?.due_at_ms ?? turn.now + at.timeout_ms };
  }

  #flushIfFull(at: FlowRequirement, turn: Turn): void {
    if (at.primitive !== "batch") return;
    const key = gateKey(at);
    if ((this.#book.group(key)?.size ?? 0) >= at.size) this.#flush(key, turn);
  }

  /** The leader goes on with all members; they are skipped in the same moment, so that a crash loses none (decision 5). */
  #flush(key: string, turn: Turn): void {
    const members = this.#book.group(key)?.toSorted() ?? [];
    const [leader] = members;
    const at = leader?.requirements[leader.stage];
    if (leader === undefined || at === undefined) return;
    for (const member of members) {
      this.#book.lift(member);
      if (member !== leader) this.#skip(member, { reason: "batch_merged", leader: leader.id }, turn);
    }
    turn.set.audit(at, { kind: "batch_dispatched", count: members.length });
    this.advance({ ...leader, stage: leader.stage + 1, members: members.map(({ id }) => id) }, turn);
  }

  #replaceCandidate({ id }: FlowTicket, at: RequirementOf<"debounce">, turn: Turn): Passage {
    const key = gateKey(at);
    if (this.#isDue(key, turn)) this.#select(key, turn);
    const earlier = this.#book.group(key)?.first();
    if (earlier !== undefined) {
      this.#book.lift(earlier);
      this.#skip(earlier, { reason: "debounced" }, turn);
    }
    turn.set.audit(at, { kind: "debounce_seen", token: id });
    return { park_until: turn.now + at.period_ms };
  }

  #select(key: string, turn: Turn): void {
    const ticket = this.#book.group(key)?.first();
    const at = ticket?.requirements[ticket.stage];
    if (ticket === undefined || at === undefined) return;
    this.#book.lift(ticket);
    turn.set.audit(at, { kind: "debounce_selected", token: ticket.id });
    this.advance({ ...ticket, stage: ticket.stage + 1 }, turn);
  }

  /** Whether the group or the candidate of a gate had to go before this moment, although nothing has woken it yet. */
  #isDue(key: string, { now }: Turn): boolean {
    return (this.#book.group(key)?.first()?.due_at_ms ?? Infinity) <= now;
  }

  #passLimit(at: RequirementOf<"rate_limit">, turn: Turn): Passage {
    const isAllowed = this.#book.window(gateKey(at)).log.hasRoom(at.max, at.period_ms, turn.now);
    turn.set.audit(at, { kind: isAllowed ? "rate_limit_allowed" : "rate_limit_blocked", max: at.max });
    if (!isAllowed) return { skip: "rate_limited" };
    this.#hit(at, turn);
    return "pass";
  }

  #hit(at: RequirementOf<"rate_limit" | "throttle">, { now, set }: Turn): void {
    set.hits(gateKey(at), this.#book.hit(at, now));
  }

  #passThrottle(at: RequirementOf<"throttle">, turn: Turn): Passage {
    const { log, waiting } = this.#book.window(gateKey(at));
    const { max, period_ms } = at;
    if (waiting.size === 0 && log.hasRoom(max, period_ms, turn.now)) {
      this.#hit(at, turn);
      turn.set.audit(at, { kind: "throttle_acquired", max });
      return "pass";
    }
    const delay_ms = Math.max(0, (log.roomAt(max, period_ms) ?? turn.now) - turn.now);
    turn.set.audit(at, { kind: "throttle_wait", delay_ms });
    return WAIT;
  }

  #letThrough(key: string, turn: Turn): void {
    const { log, waiting } = this.#book.window(key);
    const ticket = waiting.first();
    const at = ticket?.requirements[ticket.stage];
    if (ticket === undefined || at?.primitive !== "throttle" || !log.hasRoom(at.max, at.period_ms, turn.now)) return;
    // The hit comes before the next head is looked at: its room depends on it.
    this.#hit(at, turn);
    this.#book.lift(ticket);
    turn.set.audit(at, { kind: "throttle_acquired", max: at.max });
    this.advance({ ...ticket, stage: ticket.stage + 1 }, turn);
  }

  #takePermit(ticket: FlowTicket, at: Permit, turn: Turn): Passage {
    const key = gateKey(at);
    if (at.primitive === "singleton") {
      for (const holder of this.#book.permit(key).holders) this.#expire(holder, turn);
    }
    const { holders, line } = this.#book.permit(key);
    if (holders.size < limitOf(at) && line.isEmpty) {
      turn.set.audit(at, { kind: `${at.primitive}_acquired`, ...audited(ticket, at) });
      return "pass";
    }
    if (at.primitive === "concurrency" || ticket.resumed) return WAIT;
    turn.set.audit(at, { kind: "singleton_skipped" });
    return { skip: "singleton_active" };
  }

  #expire(id: string, turn: Turn): void {
    const ticket = this.#book.tickets.get(id);
    if (ticket === undefined || (ticket.lease_until_ms ?? Infinity) > turn.now) return;
    turn.set.expired(id);
    this.suspend(ticket, turn);
  }

  /** Says that the permits of a ticket, as it was, are free, and gives them to those who wait. */
  #released(ticket: FlowTicket, turn: Turn): void {
    const permits = permitsOf(ticket).toReversed();
    for (const permit of permits) turn.set.audit(permit, { kind: `${permit.primitive}_released` });
    for (const permit of permits) this.#fill(gateKey(permit), turn);
  }

  #fill(key: string, turn: Turn): void {
    for (;;) {
      const { holders, line } = this.#book.permit(key);
      const ticket = this.#book.tickets.get(line.first()?.id ?? "");
      const at = ticket?.requirements[ticket.stage];
      if (ticket === undefined || at === undefined || !isPermit(at) || holders.size >= limitOf(at)) break;
      this.#book.lift(ticket);
      turn.set.audit(at, { kind: `${at.primitive}_acquired`, ...audited(ticket, at) });
      this.advance({ ...ticket, stage: ticket.stage + 1 }, turn);
    }
    this.#book.dropEmptyPermit(key);
  }
}
