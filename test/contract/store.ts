import { describe, expect, it } from "vitest";
import type { SqlRow, Store } from "../../durable-objects/storage/store.ts";

/** A store under test, with a look at the alarm that the port itself does not offer. */
export interface StoreUnderTest {
  readonly store: Store;
  readonly alarmAt: () => number | null | Promise<number | null>;
}

/** Runs a test body against a new, empty store. */
export type WithStore = (body: (subject: StoreUnderTest) => void | Promise<void>) => Promise<void>;

const FAR = 4_102_444_800_000;

const itemsOf = (store: Store): readonly SqlRow[] => store.query("SELECT id, name FROM items ORDER BY id");

const createItems = (store: Store): void => {
  store.write("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT) STRICT");
};

const thrownBy = (body: () => unknown): unknown => {
  try {
    body();
  } catch (error) {
    return error;
  }
  return undefined;
};

const queries = (withStore: WithStore): void => {
  it("[storage] a new store is empty and has no alarm", () =>
    withStore(async ({ store, alarmAt }) => {
      expect(store.query("SELECT name FROM sqlite_master WHERE name = 'items'")).toEqual([]);
      expect(await alarmAt()).toBeNull();
    }));

  it("[storage] a query returns plain rows with texts, numbers and nulls", () =>
    withStore(({ store }) => {
      createItems(store);
      store.write("INSERT INTO items (id, name) VALUES (?, ?)", 1, "ä\u{1f600}");
      store.write("INSERT INTO items (id, name) VALUES (?, ?)", 2, null);
      expect(itemsOf(store)).toEqual([
        { id: 1, name: "ä\u{1f600}" },
        { id: 2, name: null },
      ]);
      expect(store.query("SELECT count(*) AS n, max(id) AS top, 1.5 AS half FROM items")).toEqual([
        { n: 2, top: 2, half: 1.5 },
      ]);
    }));

  it("[storage] milliseconds since the epoch survive as numbers", () =>
    withStore(({ store }) => {
      store.write("CREATE TABLE times (at_ms INTEGER NOT NULL) STRICT");
      store.write("INSERT INTO times (at_ms) VALUES (?)", FAR);
      expect(store.query("SELECT at_ms FROM times WHERE at_ms = ?", FAR)).toEqual([{ at_ms: FAR }]);
    }));

  it("[storage] bindings are values, never SQL", () =>
    withStore(({ store }) => {
      createItems(store);
      const text = "'); DROP TABLE items; --";
      store.write("INSERT INTO items (id, name) VALUES (1, ?)", text);
      expect(itemsOf(store)).toEqual([{ id: 1, name: text }]);
    }));

  it("[storage] statements that would open or end a transaction are refused", () =>
    withStore(({ store }) => {
      for (const sql of ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a"]) {
        expect(thrownBy(() => store.write(sql))).toBeInstanceOf(Error);
      }
    }));

  it("[storage] a broken statement throws and leaves the store usable", () =>
    withStore(({ store }) => {
      createItems(store);
      store.write("INSERT INTO items (id, name) VALUES (1, 'a')");
      expect(thrownBy(() => store.write("INSERT INTO items (id, name) VALUES (1, 'b')"))).toBeInstanceOf(Error);
      expect(thrownBy(() => store.query("SELECT nothing FROM items"))).toBeInstanceOf(Error);
      expect(itemsOf(store)).toEqual([{ id: 1, name: "a" }]);
    }));
};

const counting = (withStore: WithStore): void => {
  it("[storage] a write counts the rows it wrote", () =>
    withStore(({ store }) => {
      createItems(store);
      expect(store.write("INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b')")).toBe(2);
      expect(store.write("UPDATE items SET name = 'c'")).toBe(2);
      expect(store.write("UPDATE items SET name = 'd' WHERE id = 9")).toBe(0);
      expect(store.write("DELETE FROM items WHERE id = 1")).toBe(1);
    }));

  it("[storage] a table without rowid costs one row although its key is a text", () =>
    withStore(({ store }) => {
      store.write("CREATE TABLE keyed (key TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID");
      expect(store.write("INSERT INTO keyed (key, value) VALUES ('a', '1')")).toBe(1);
    }));

  it("[storage] every further index of a table costs a row", () =>
    withStore(({ store }) => {
      store.write("CREATE TABLE texts (key TEXT PRIMARY KEY, value TEXT, note TEXT) STRICT");
      store.write("CREATE INDEX texts_by_value ON texts (value)");
      expect(store.write("INSERT INTO texts (key, value, note) VALUES ('a', '1', 'n')")).toBe(3);
      expect(store.write("UPDATE texts SET note = 'm' WHERE key = 'a'")).toBe(1);
      expect(store.write("UPDATE texts SET value = '2' WHERE key = 'a'")).toBe(2);
      expect(store.write("DELETE FROM texts WHERE key = 'a'")).toBe(1);
    }));

  it("[storage] an insert that turns into an update of the one row writes one row", () =>
    withStore(({ store }) => {
      createItems(store);
      const upsert = "INSERT INTO items (id, name) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name";
      expect(store.write(upsert, "a")).toBe(1);
      expect(store.write(upsert, "b")).toBe(1);
      expect(itemsOf(store)).toEqual([{ id: 1, name: "b" }]);
    }));

  it("[storage] creating a table writes its schema, and nothing when it is there already", () =>
    withStore(({ store }) => {
      const create = "CREATE TABLE IF NOT EXISTS once (id INTEGER PRIMARY KEY) STRICT";
      expect(store.write(create)).toBe(2);
      expect(store.write(create)).toBe(0);
      expect(store.write("CREATE TABLE own (key TEXT PRIMARY KEY, other TEXT UNIQUE) STRICT")).toBe(4);
      expect(store.write("CREATE INDEX own_by_both ON own (key, other)")).toBe(1);
    }));
};

const transactions = (withStore: WithStore): void => {
  it("[storage] a transaction commits its rows and answers what its body answers", () =>
    withStore(({ store }) => {
      createItems(store);
      const answer = store.transaction(() => {
        store.write("INSERT INTO items (id, name) VALUES (1, 'a')");
        return itemsOf(store).length;
      });
      expect(answer).toBe(1);
      expect(itemsOf(store)).toEqual([{ id: 1, name: "a" }]);
    }));

  it("[storage] whatever is thrown in a transaction rolls back rows and schema and comes out unchanged", () =>
    withStore(({ store }) => {
      createItems(store);
      const error = new Error("stop");
      const thrown = thrownBy(() =>
        store.transaction(() => {
          store.write("INSERT INTO items (id, name) VALUES (1, 'a')");
          store.write("CREATE TABLE later (id INTEGER PRIMARY KEY)");
          throw error;
        }),
      );
      expect(thrown).toBe(error);
      expect(itemsOf(store)).toEqual([]);
      expect(store.query("SELECT name FROM sqlite_master WHERE name = 'later'")).toEqual([]);
    }));

  it("[storage] an inner transaction rolls back by itself", () =>
    withStore(({ store }) => {
      createItems(store);
      store.transaction(() => {
        store.write("INSERT INTO items (id, name) VALUES (1, 'outer')");
        const thrown = thrownBy(() =>
          store.transaction(() => {
            store.write("INSERT INTO items (id, name) VALUES (2, 'inner')");
            throw new Error("inner");
          }),
        );
        expect(thrown).toBeInstanceOf(Error);
        store.write("INSERT INTO items (id, name) VALUES (3, 'after')");
      });
      expect(itemsOf(store).map((row) => row["id"])).toEqual([1, 3]);
    }));

  it("[storage] an outer transaction takes a committed inner one back with it", () =>
    withStore(({ store }) => {
      createItems(store);
      thrownBy(() =>
        store.transaction(() => {
          store.transaction(() => store.write("INSERT INTO items (id, name) VALUES (1, 'inner')"));
          throw new Error("outer");
        }),
      );
      expect(itemsOf(store)).toEqual([]);
    }));
};

const alarms = (withStore: WithStore): void => {
  it("[I1] there is one alarm: setting it again moves it, null takes it away", () =>
    withStore(async ({ store, alarmAt }) => {
      store.setAlarm(FAR);
      expect(await alarmAt()).toBe(FAR);
      store.setAlarm(FAR + 5);
      expect(await alarmAt()).toBe(FAR + 5);
      store.setAlarm(null);
      expect(await alarmAt()).toBeNull();
    }));

  it("[I1] an alarm commits with the transaction it is set in", () =>
    withStore(async ({ store, alarmAt }) => {
      createItems(store);
      store.transaction(() => {
        store.write("INSERT INTO items (id, name) VALUES (1, 'a')");
        store.setAlarm(FAR);
      });
      expect(await alarmAt()).toBe(FAR);
      store.setAlarm(null);
    }));

  it("[I1] a transaction that fails leaves the alarm as it was", () =>
    withStore(async ({ store, alarmAt }) => {
      store.setAlarm(FAR);
      thrownBy(() =>
        store.transaction(() => {
          store.setAlarm(FAR + 60_000);
          throw new Error("stop");
        }),
      );
      expect(await alarmAt()).toBe(FAR);
      store.setAlarm(null);
    }));
};

/** What every implementation of the storage port promises; the shells are built on nothing else. */
export const describeStore = (name: string, withStore: WithStore): void => {
  describe(`store: ${name}`, () => {
    queries(withStore);
    counting(withStore);
    transactions(withStore);
    alarms(withStore);
  });
};
