interface Entry<T> {
  readonly key: string;
  readonly item: T;
}

/** Items by key, with the first of them at hand: adding, replacing and removing any of them takes O(log n). */
export class Heap<T> {
  readonly #entries: Entry<T>[] = [];
  readonly #places = new Map<string, number>();
  readonly #compare: (a: T, b: T) => number;

  /** Items for which `compare` says the same go in any order: let it decide between all. */
  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** The first item. */
  first(): T | undefined {
    return this.#entries[0]?.item;
  }

  has(key: string): boolean {
    return this.#places.has(key);
  }

  /** Adds the item, or replaces the one that has its key. */
  set(key: string, item: T): void {
    const place = this.#places.get(key) ?? this.#entries.length;
    this.#put(place, { key, item });
    this.#settle(place);
  }

  /** Takes the item of a key out; returns whether there was one. */
  remove(key: string): boolean {
    const place = this.#places.get(key);
    if (place === undefined) return false;
    const last = this.#entries.pop();
    this.#places.delete(key);
    if (last !== undefined && place < this.#entries.length) {
      this.#put(place, last);
      this.#settle(place);
    }
    return true;
  }

  /** Every item, in order. */
  toSorted(): readonly T[] {
    return this.#entries.map(({ item }) => item).toSorted(this.#compare);
  }

  #put(place: number, entry: Entry<T>): void {
    this.#entries[place] = entry;
    this.#places.set(entry.key, place);
  }

  #isBefore(a: number, b: number): boolean {
    const [first, second] = [this.#entries[a], this.#entries[b]];
    return first !== undefined && (second === undefined || this.#compare(first.item, second.item) < 0);
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#entries[a], this.#entries[b]];
    if (first === undefined || second === undefined) return;
    this.#put(a, second);
    this.#put(b, first);
  }

  #settle(from: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(place, parent)) break;
      this.#swap(place, parent);
      place = parent;
    }
    for (;;) {
      const left = 2 * place + 1;
      const child = this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#isBefore(child, place)) return;
      this.#swap(place, child);
      place = child;
    }
  }
}
