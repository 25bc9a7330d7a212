import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrate } from "../../../durable-objects/migrations/migration.ts";
import { TRIGGER } from "../../../durable-objects/migrations/trigger.ts";
import { encodeEvent, insertEvent, loadEvent, updateEvent } from "../../../durable-objects/shell/keyed-events.ts";
import { heldMessages, holdMessage, takeDueMessages } from "../../../durable-objects/shell/keyed-outbox.ts";
import { RejectionCounts } from "../../../durable-objects/shell/keyed-rejections.ts";
import { currentSecret, dropSecrets, keepSecret } from "../../../durable-objects/shell/keyed-secrets.ts";
import { type SqliteStore, sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import { fold } from "../../../src/engine/machine.ts";
import type { EventRecord } from "../../../src/engine/trigger/event.ts";
import { eventMachine } from "../../../src/engine/trigger/machine.ts";
import { accept, contextAt, NOON, opened } from "./fixture.ts";

let store: SqliteStore;

beforeEach(() => {
  store = sqliteStore();
  store.transaction(() => migrate(store, TRIGGER));
});

afterEach(() => store.close());

const record = (raw: unknown, rawBody?: string): EventRecord => {
  const event = { ...opened, provider_payload: { raw: raw as string } };
  const decision = eventMachine.decide(eventMachine.initial, accept({ event, raw_body: rawBody }), contextAt());
  const state = decision.ok ? fold(eventMachine, eventMachine.initial, decision.events) : eventMachine.initial;
  if (state.status === "absent") throw new Error("the event was not accepted");
  return state;
};

const insert = (event: EventRecord): number => {
  const encoded = encodeEvent(event);
  if (encoded === null) throw new Error("too large");
  return insertEvent(store, "k", encoded);
};

describe("events", () => {
  it("[T-7.1] an event comes back as it was; an ordinary one is one row", () => {
    const small = record({ a: [1, "\ud800 🙂"] }, "e30=");
    expect(insert(small)).toBe(1);
    expect(loadEvent(store, "k")).toEqual(small);
    expect(loadEvent(store, "other")).toEqual({ status: "absent" });
  });

  it("[T-7.1] a large event is cut into rows without tearing a character, and a later one takes its place", () => {
    for (const pad of ["", "x"]) {
      const large = record(pad + "🙂".repeat(700_000));
      expect(insert(large)).toBeGreaterThan(2);
      expect(loadEvent(store, "k")).toEqual(large);
      const failed: EventRecord = { ...large, status: "failed" };
      expect(updateEvent(store, "k", failed)).toBe(1);
      expect(loadEvent(store, "k")).toEqual(failed);
      const small = record("small");
      insert(small);
      expect(loadEvent(store, "k")).toEqual(small);
      expect(store.query("SELECT * FROM event_part")).toEqual([]);
    }
  });

  it("[T-20.2] what could never be stored is refused before anything is written", () => {
    expect(encodeEvent(record("x".repeat(17_000_000)))).toBeNull();
    const task = "x".repeat(500_000);
    const { binding, ...rest } = record("x");
    const handler = { ...binding.definition.handler, task };
    expect(
      encodeEvent({ ...rest, binding: { ...binding, definition: { ...binding.definition, handler } } }),
    ).toBeNull();
  });
});

describe("messages", () => {
  it("[T-26.2] a message is sent again after ever longer waits until it is settled", () => {
    holdMessage(store, "e1", { n: 1 }, NOON);
    holdMessage(store, "e2", { n: 2 }, NOON + 1);
    expect(takeDueMessages(store, NOON - 1)).toEqual([]);
    expect(takeDueMessages(store, NOON)).toEqual([{ n: 1 }]);
    expect(takeDueMessages(store, NOON + 9_999)).toEqual([{ n: 2 }]);
    expect(takeDueMessages(store, NOON + 10_000)).toEqual([{ n: 1 }]);
    let now = NOON + 10_000;
    const waits: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      const next = Number(store.query("SELECT next_at_ms FROM outbox WHERE id = 'e1'")[0]?.["next_at_ms"]);
      waits.push(next - now);
      now = next;
      takeDueMessages(store, now);
    }
    expect(waits).toEqual([20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    expect([...heldMessages(store)]).toEqual([[{ n: 1 }, { n: 2 }]]);
  });

  it("[T-26.2] held messages come in batches of a hundred", () => {
    for (let i = 0; i < 250; i += 1) holdMessage(store, `e${1000 + i}`, i, NOON);
    expect([...heldMessages(store)].map((batch) => batch.length)).toEqual([100, 100, 50]);
    expect(takeDueMessages(store, NOON)).toHaveLength(100);
  });
});

describe("rejections", () => {
  const MINUTE = 60_000;

  it("[T-19.1] counts are exact while the object lives, and half of them at least after it was evicted", () => {
    const counts = new RejectionCounts(store);
    const before = store.rowsWritten();
    for (let i = 0; i < 100; i += 1) counts.count("invalid_signature", `no ${i}`, NOON + i);
    expect(store.rowsWritten() - before).toBe(7);
    expect(new RejectionCounts(store).list()).toMatchObject([{ reason: "invalid_signature", count: 64 }]);
    const shown = {
      minute: "2026-04-19T12:00:00.000Z",
      reason: "invalid_signature",
      count: 100,
      last_message: "no 99",
    };
    expect(counts.list()).toMatchObject([shown]);
    // Another instance goes on where the rows are.
    const next = new RejectionCounts(store);
    next.count("invalid_signature", "x", NOON + 200);
    next.count("missing_header", "y", NOON + MINUTE);
    expect(next.list()).toMatchObject([{ reason: "missing_header", count: 1 }, { count: 101 }]);
  });

  it("[T-19.1] at most a hundred counters are kept, the newest, with messages cut", () => {
    const counts = new RejectionCounts(store);
    for (let i = 0; i < 150; i += 1) counts.count("invalid_signature", "m".repeat(1_000), NOON + i * MINUTE);
    const kept = counts.list();
    expect(kept).toHaveLength(100);
    expect(kept[0]?.minute).toBe(new Date(NOON + 149 * MINUTE).toISOString());
    expect(kept[0]?.last_message).toHaveLength(300);
  });
});

it("[T-5.9] the same secret has the same digest, and another object would give it another one", () => {
  const digest = keepSecret(store, "s3cr3t");
  expect(currentSecret(store)).toBe("s3cr3t");
  const other = keepSecret(store, "other");
  expect(currentSecret(store)).toBe("other");
  expect(keepSecret(store, "s3cr3t")).toBe(digest);
  expect(other).not.toBe(digest);
  dropSecrets(store);
  expect(currentSecret(store)).toBeNull();
  expect(keepSecret(store, "s3cr3t")).toBe(digest);
  const elsewhere = sqliteStore();
  elsewhere.transaction(() => migrate(elsewhere, TRIGGER));
  expect(keepSecret(elsewhere, "s3cr3t")).not.toBe(digest);
  elsewhere.close();
});
