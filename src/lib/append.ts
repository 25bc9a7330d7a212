/**
 * A persistent list that can only grow, with amortised constant-time append.
 *
 * Versions share one array as slices of it: each sees its own first `length` elements. Appending to the newest version
 * extends the array, appending to an older one copies it, so that no version ever sees another's elements.
 */
export class AppendList<T> {
  static readonly empty: AppendList<never> = new AppendList<never>([], 0);

  readonly length: number;
  readonly #items: T[];

  private constructor(items: T[], length: number) {
    this.#items = items;
    this.length = length;
  }

  /** A list of these elements. */
  static of<T>(items: readonly T[]): AppendList<T> {
    return new AppendList([...items], items.length);
  }

  /** This list and the given elements after it. */
  append(added: readonly T[]): AppendList<T> {
    if (added.length === 0) return this;
    // The empty list is one shared constant: it must never be extended in place.
    const newest = this.length > 0 && this.#items.length === this.length;
    const items = newest ? this.#items : this.#items.slice(0, this.length);
    for (const item of added) items.push(item);
    return new AppendList(items, items.length);
  }

  /** The element at an index, or undefined beyond the end; negative indexes count from the end. */
  at(index: number): T | undefined {
    const position = index < 0 ? this.length + index : index;
    return position < this.length ? this.#items[position] : undefined;
  }

  /** The first elements, at most so many; shares the elements instead of copying them. */
  prefix(count: number): AppendList<T> {
    if (count >= this.length) return this;
    return count <= 0 ? AppendList.empty : new AppendList(this.#items, count);
  }

  /** The elements from an index up to another one, as an array of their own. */
  slice(from: number, to: number = this.length): T[] {
    return this.#items.slice(Math.max(0, from), Math.min(to, this.length));
  }

  /** All elements as an array of their own. */
  toArray(): T[] {
    return this.#items.slice(0, this.length);
  }

  toJSON(): T[] {
    return this.toArray();
  }
}

/** A persistent map that keeps the first value of each key, with amortised constant-time insertion; see {@link AppendList}. */
export class AppendMap<V> {
  static readonly empty: AppendMap<never> = new AppendMap<never>(new Map(), 0);

  readonly size: number;
  readonly #entries: Map<string, { readonly index: number; readonly value: V }>;

  private constructor(entries: Map<string, { readonly index: number; readonly value: V }>, size: number) {
    this.#entries = entries;
    this.size = size;
  }

  /** A map of these entries. */
  static of<V>(entries: Iterable<readonly [string, V]>): AppendMap<V> {
    let map: AppendMap<V> = AppendMap.empty;
    for (const [key, value] of entries) map = map.add(key, value);
    return map;
  }

  /** This map and the entry, or this map itself when it has the key. */
  add(key: string, value: V): AppendMap<V> {
    if (this.has(key)) return this;
    const shared = this.#entries.size === this.size;
    const entries = shared ? this.#entries : new Map([...this.#entries].filter(([, e]) => e.index < this.size));
    // An empty map is one shared constant: it must never be extended in place.
    const own = this.size === 0 ? new Map<string, { readonly index: number; readonly value: V }>() : entries;
    own.set(key, { index: this.size, value });
    return new AppendMap(own, this.size + 1);
  }

  has(key: string): boolean {
    return this.#entry(key) !== undefined;
  }

  get(key: string): V | undefined {
    return this.#entry(key)?.value;
  }

  /** The keys in the order of their insertion. */
  keys(): string[] {
    const keys: string[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.index >= this.size) break;
      keys.push(key);
    }
    return keys;
  }

  toJSON(): [string, V][] {
    return this.keys().map((key) => [key, this.get(key) as V]);
  }

  #entry(key: string): { readonly index: number; readonly value: V } | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.index < this.size ? entry : undefined;
  }
}
