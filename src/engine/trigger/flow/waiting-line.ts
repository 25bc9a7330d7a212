import { byCodePoint } from "../../../lib/json.ts";
import { Heap } from "./heap.ts";

/** One who waits for a slot. */
export interface Waiter {
  readonly id: string;
  readonly seq: number;
  readonly rank: number;
  readonly fair_key: string;
}

interface Head {
  readonly rank: number;
  readonly held: number;
  readonly waiter: Waiter;
}

const bySeq = (a: Waiter, b: Waiter): number => a.seq - b.seq || byCodePoint(a.id, b.id);

const byTurn = (a: Head, b: Head): number => a.rank - b.rank || a.held - b.held || bySeq(a.waiter, b.waiter);

const laneKey = ({ rank, fair_key }: Waiter): string => `${rank} ${fair_key}`;

/**
 * Who waits for a slot, by rank, then by how few slots its fair key holds, then by arrival (spec/triggers 10). Every
 * change takes O(log n): each pair of rank and fair key is a lane of its own, and only the heads of lanes are compared.
 */
export class WaitingLine {
  readonly #lanes = new Map<string, Heap<Waiter>>();
  readonly #heads = new Heap<Head>(byTurn);
  readonly #held = new Map<string, number>();
  /** The lanes of each fair key. */
  readonly #lanesOf = new Map<string, Set<string>>();

  get isEmpty(): boolean {
    return this.#heads.size === 0;
  }

  /** Who is next. */
  first(): Waiter | undefined {
    return this.#heads.first()?.waiter;
  }

  add(waiter: Waiter): void {
    const key = laneKey(waiter);
    const lane = this.#lanes.get(key) ?? new Heap(bySeq);
    lane.set(waiter.id, waiter);
    this.#lanes.set(key, lane);
    const siblings = this.#lanesOf.get(waiter.fair_key) ?? new Set();
    this.#lanesOf.set(waiter.fair_key, siblings.add(key));
    this.#refresh(key);
  }

  remove(waiter: Waiter): void {
    const key = laneKey(waiter);
    this.#lanes.get(key)?.remove(waiter.id);
    this.#refresh(key);
  }

  /** A slot was taken (+1) or given back (-1) by somebody with this fair key. */
  hold(fairKey: string, change: 1 | -1): void {
    const held = (this.#held.get(fairKey) ?? 0) + change;
    if (held === 0) this.#held.delete(fairKey);
    else this.#held.set(fairKey, held);
    for (const key of this.#lanesOf.get(fairKey) ?? []) this.#refresh(key);
  }

  #refresh(key: string): void {
    const waiter = this.#lanes.get(key)?.first();
    if (waiter !== undefined) {
      this.#heads.set(key, { rank: waiter.rank, held: this.#held.get(waiter.fair_key) ?? 0, waiter });
      return;
    }
    this.#heads.remove(key);
    this.#lanes.delete(key);
    const fairKey = key.slice(key.indexOf(" ") + 1);
    const siblings = this.#lanesOf.get(fairKey);
    siblings?.delete(key);
    if (siblings?.size === 0) this.#lanesOf.delete(fairKey);
  }
}
