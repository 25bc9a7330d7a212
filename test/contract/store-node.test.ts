import { describe, expect, it } from "vitest";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import { describeStore } from "./store.ts";

describeStore("node:sqlite", async (body) => {
  const store = sqliteStore();
  try {
    await body({ store, alarmAt: store.alarmAt });
  } finally {
    store.close();
  }
});

describe("store: node:sqlite, beyond the port", () => {
  it("[storage] rows written add up over all writes", () => {
    const store = sqliteStore();
    store.write("CREATE TABLE items (id INTEGER PRIMARY KEY) STRICT");
    const before = store.rowsWritten();
    store.write("INSERT INTO items (id) VALUES (1), (2)");
    store.write("DELETE FROM items");
    expect(store.rowsWritten() - before).toBe(4);
    store.close();
  });
});
