// The flow control of one trigger (spec/triggers 10): every dispatch passes its gates in the order of FLOW_ORDER.
//
//   enter --> parked at a gate --> (the next gate) ... --> admitted --leave--> gone
//     \           |  \__ skipped                              |
//      \__________|_____________________________________> expired, suspend --> suspended --resume--> parked | admitted
//
// F1 A gate holds never more permits than its max, and lets through never more than its max within a period.
// F2 Of the arrivals within a quiet period only the newest goes on; the others are skipped as soon as a newer one comes.
// F3 A group is flushed when it is full or its deadline is reached; its members are skipped then, not before.
// F4 Waiters go by (rank, slots held by their fair key, arrival); nobody overtakes the head of a line.
// F5 Everything follows from the rows: a rebuilt flow control has the same future.
// F6 A permit is held until its dispatch leaves, is suspended, or lets its lease run out.

import type { Timestamp } from "../../../lib/time.ts";
import { ChangeSet, type FlowChanges } from "./changes.ts";
import { dueKey, GateBook, gateKey, type Due } from "./gate-book.ts";
import { GateKeeper, type Turn } from "./gate-keeper.ts";
import type { FlowHits, FlowPrimitive, FlowRequirement, FlowSkip, FlowTicket } from "./ticket.ts";

/** A dispatch that asks to go on. */
export interface FlowRequest {
  readonly id: string;
  readonly requirements: readonly FlowRequirement[];
}

/** How a dispatch stands. */
export type FlowVerdict =
  | { readonly status: "admitted"; readonly members: readonly string[] }
  | { readonly status: "parked"; readonly on: FlowPrimitive }
  | { readonly status: "skipped"; readonly reason: FlowSkip; readonly leader: string | null }
  | { readonly status: "suspended" }
  /** There is no ticket: it holds nothing, or was never here. */
  | { readonly status: "unknown" };

/** The rows from which flow control is built. */
export interface FlowRows {
  readonly tickets: Iterable<FlowTicket>;
  readonly hits: Iterable<FlowHits>;
}

/** What a deployment decides about flow control. */
export interface FlowOptions {
  /** For how long a permit is held without a renewal. */
  readonly lease_ms: number;
  /** How many tickets one `wake` changes before it says that there is more. */
  readonly wake_limit: number;
}

const DEFAULTS: FlowOptions = { lease_ms: 900_000, wake_limit: 100 };
const SWEEPS = 8;

/**
 * Flow control in memory. Each operation answers with what it changed; when that cannot be committed, the instance is
 * dropped and built again from the rows.
 */
export class FlowControl {
  readonly #book = new GateBook();
  readonly #keeper: GateKeeper;
  readonly #options: FlowOptions;
  #nextSeq = 1;

  constructor(rows: FlowRows, options: Partial<FlowOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
    this.#keeper = new GateKeeper(this.#book, this.#options.lease_ms);
    for (const hits of rows.hits) this.#book.restore(hits);
    for (const ticket of rows.tickets) {
      this.#book.place(ticket);
      this.#nextSeq = Math.max(this.#nextSeq, ticket.seq + 1);
    }
  }

  /** Lets a dispatch in, parks it or skips it. One that has a ticket gets its verdict again, and nothing changes. */
  enter(request: FlowRequest, now: Timestamp): { readonly verdict: FlowVerdict; readonly changes: FlowChanges } {
    const { id, requirements } = request;
    const known = this.verdictOf(id);
    if (known.status !== "unknown") return { verdict: known, changes: new ChangeSet().toChanges() };
    const turn = { now, set: new ChangeSet() };
    this.#sweep(turn);
    const ticket: FlowTicket = {
      id,
      seq: this.#nextSeq++,
      arrived_at_ms: now,
      requirements,
      stage: 0,
      state: "parked",
      resumed: false,
      due_at_ms: null,
      lease_until_ms: null,
      members: [],
    };
    this.#keeper.advance(ticket, turn);
    return { verdict: this.#outcome(id, turn), changes: turn.set.toChanges(false, id) };
  }

  /** Does what is due: quiet periods, deadlines, room in a window, leases; one thing of each gate after the other. */
  wake(now: Timestamp): FlowChanges {
    const turn = { now, set: new ChangeSet() };
    const { due } = this.#book;
    this.#sweep(turn);
    const isOpen = (): boolean => turn.set.size < this.#options.wake_limit;
    while (isOpen() && (this.nextDueAt() ?? Infinity) <= now) {
      const round: Due[] = [];
      for (let first = due.first(); first !== undefined && first.at <= now; first = due.first()) {
        if (round.length === this.#options.wake_limit) break;
        round.push(first);
        due.remove(dueKey(first));
      }
      for (const one of round) {
        this.#book.remind(one);
        if (isOpen()) this.#keeper.step(one, turn);
      }
    }
    return turn.set.toChanges((this.nextDueAt() ?? Infinity) <= now);
  }

  /** Ends a dispatch, whatever its state: its permits are free, and those who waited for them go on. */
  leave(id: string, now: Timestamp): FlowChanges {
    const turn = { now, set: new ChangeSet() };
    const ticket = this.#book.tickets.get(id);
    if (ticket === undefined) return turn.set.toChanges();
    this.#keeper.end(ticket, turn);
    return turn.set.toChanges();
  }

  /** Gives the permits of an admitted dispatch back until it resumes: it waits for something else meanwhile. */
  suspend(id: string, now: Timestamp): FlowChanges {
    const turn = { now, set: new ChangeSet() };
    const ticket = this.#book.tickets.get(id);
    if (ticket?.state === "admitted") this.#keeper.suspend(ticket, turn);
    return turn.set.toChanges();
  }

  /** Lets a suspended dispatch ask for its permits again: it is never skipped, it waits. */
  resume(id: string, now: Timestamp): { readonly verdict: FlowVerdict; readonly changes: FlowChanges } {
    const turn = { now, set: new ChangeSet() };
    const ticket = this.#book.tickets.get(id);
    if (ticket?.state !== "suspended") return { verdict: this.verdictOf(id), changes: turn.set.toChanges() };
    this.#book.lift(ticket);
    this.#keeper.advance({ ...ticket, state: "parked" }, turn);
    return { verdict: this.#outcome(id, turn), changes: turn.set.toChanges() };
  }

  /** Prolongs the lease of an admitted dispatch; a lease is never shortened. Nothing changes for any other. */
  renew(id: string, until: Timestamp): FlowChanges {
    const set = new ChangeSet();
    const ticket = this.#book.tickets.get(id);
    if (ticket?.state === "admitted" && (ticket.lease_until_ms ?? until) < until) {
      const renewed = { ...ticket, lease_until_ms: until };
      this.#book.tickets.set(id, renewed);
      this.#book.refreshLease(id);
      set.put(renewed);
    }
    return set.toChanges();
  }

  /** How a dispatch stands, as far as it has a ticket. */
  verdictOf(id: string): FlowVerdict {
    const ticket = this.#book.tickets.get(id);
    const at = ticket?.requirements[ticket.stage];
    if (ticket === undefined) return { status: "unknown" };
    if (ticket.state === "suspended") return { status: "suspended" };
    if (ticket.state === "parked" && at !== undefined) return { status: "parked", on: at.primitive };
    return { status: "admitted", members: ticket.members };
  }

  /** When `wake` has something to do next; null for never. */
  nextDueAt(): Timestamp | null {
    return this.#book.due.first()?.at ?? null;
  }

  #outcome(id: string, { set }: Turn): FlowVerdict {
    const outcome = set.takeOutcome(id);
    if (outcome === null) return this.verdictOf(id);
    return "reason" in outcome
      ? { status: "skipped", reason: outcome.reason, leader: outcome.leader }
      : { status: "admitted", members: outcome.members };
  }

  /** Rows of windows that nobody came to for a whole period go, a few with each operation. */
  #sweep({ now, set }: Turn): void {
    for (let count = 0; count < SWEEPS; count++) {
      const gone = this.#book.sweep(now);
      if (gone === null) return;
      set.hits(gateKey(gone), () => gone);
    }
  }
}
