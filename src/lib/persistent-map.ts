import { byCodePoint } from "./json.ts";

/** The newest version holds the entries; every older one only how it differs from the next newer. */
type Version<V> = { entries: Map<string, V> } | { key: string; value: V | undefined; next: Cell<V> };

interface Cell<V> {
  version: Version<V>;
  readonly size: number;
}

/**
 * A persistent map: every version keeps its entries for ever, and the newest one is read and changed in constant time.
 *
 * Versions share one table, which belongs to the version used last; using an older one moves the table there, at the cost
 * of the changes between the two. Nothing outside can see that.
 */
export class PersistentMap<V> {
  readonly size: number;
  readonly #cell: Cell<V>;

  private constructor(cell: Cell<V>) {
    this.#cell = cell;
    this.size = cell.size;
  }

  /** A map without entries. */
  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>({ version: { entries: new Map() }, size: 0 });
  }

  /** This map with the entry added or replaced. */
  set(key: string, value: V): PersistentMap<V> {
    return this.#changed(key, value);
  }

  /** This map without the entry. */
  delete(key: string): PersistentMap<V> {
    return this.has(key) ? this.#changed(key, undefined) : this;
  }

  get(key: string): V | undefined {
    return tableOf(this.#cell).get(key);
  }

  has(key: string): boolean {
    return tableOf(this.#cell).has(key);
  }

  /** The entries, ordered by the code points of their keys. */
  entries(): readonly (readonly [string, V])[] {
    return [...tableOf(this.#cell)].toSorted(([a], [b]) => byCodePoint(a, b));
  }

  toJSON(): readonly (readonly [string, V])[] {
    return this.entries();
  }

  #changed(key: string, value: V | undefined): PersistentMap<V> {
    const entries = tableOf(this.#cell);
    const before = entries.get(key);
    const change = (value === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    const cell: Cell<V> = { version: { entries }, size: this.size + change };
    put(entries, key, value);
    this.#cell.version = { key, value: before, next: cell };
    return new PersistentMap(cell);
  }
}

const put = <V>(entries: Map<string, V>, key: string, value: V | undefined): void => {
  if (value === undefined) entries.delete(key);
  else entries.set(key, value);
};

/** The table in the state of this version; whoever held it afterwards holds the difference to it. */
const tableOf = <V>(cell: Cell<V>): Map<string, V> => {
  if ("entries" in cell.version) return cell.version.entries;
  const path: Cell<V>[] = [];
  let holder = cell;
  while (!("entries" in holder.version)) {
    path.push(holder);
    holder = holder.version.next;
  }
  const { entries } = holder.version;
  let newer = holder;
  for (const older of path.toReversed()) {
    if ("entries" in older.version) continue;
    const { key, value } = older.version;
    newer.version = { key, value: entries.get(key), next: older };
    put(entries, key, value);
    older.version = { entries };
    newer = older;
  }
  return entries;
};
