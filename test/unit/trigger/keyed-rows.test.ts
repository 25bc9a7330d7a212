import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrate } from "../../../durable-objects/migrations/migration.ts";
import { TRIGGER } from "../../../durable-objects/migrations/trigger.ts";
import {
  type EncodedEvent,
  encodeEvent,
  insertEvent,
  isDedupeKey,
  type KeptEvent,
  loadEvent,
  replayKey,
  updateEvent,
} from "../../../durable-objects/shell/keyed-events.ts";
import { heldMessages, holdMessage, takeDueMessages } from "../../../durable-objects/shell/keyed-outbox.ts";
import { RejectionCounts } from "../../../durable-objects/shell/keyed-rejections.ts";
import { type SqliteStore, sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import { fold } from "../../../src/engine/machine.ts";
import { eventMachine } from "../../../src/engine/trigger/machine.ts";
import { accept, binding, contextAt, NOON, opened, stored } from "./fixture.ts";
import { recordOf, tell } from "./telling.ts";

let store: SqliteStore;

beforeEach(() => {
  store = sqliteStore();
  store.transaction(() => migrate(store, TRIGGER));
});

afterEach(() => store.close());

const kept = (raw: unknown, change: Readonly<Record<string, unknown>> = {}, rawBody?: string): KeptEvent => {
  const event = { ...opened, provider_payload: { raw: raw as string } };
  const command = accept({ event, raw_body: rawBody, binding: binding(change) });
  const decision = eventMachine.decide(eventMachine.initial, command, contextAt());
  const journal = decision.ok ? decision.events : [];
  return { state: fold(eventMachine, eventMachine.initial, journal), journal };
};

const encoded = ({ state, journal }: KeptEvent): EncodedEvent | null => encodeEvent(journal, recordOf(state));

const insert = (event: KeptEvent): number => {
  const text = encoded(event);
  if (text === null) throw new Error("too large");
  return insertEvent(store, "k", text);
};

const load = (key = "k"): KeptEvent => loadEvent(store, key, () => stored());

describe("events", () => {
  it("[T-7.1] an event comes back as it was, folded from its journal; an ordinary one is one row", () => {
    const small = kept({ a: [1, "\ud800 🙂"] }, {}, "e30=");
    expect(insert(small)).toBe(1);
    expect(load()).toEqual(small);
    expect(load("other")).toEqual({ state: { status: "absent" }, journal: [] });
  });

  it("[T-7.1] a large event is cut into rows without tearing a character, and a later one takes its place", () => {
    for (const pad of ["", "x"]) {
      const large = kept(pad + "🙂".repeat(700_000));
      expect(insert(large)).toBeGreaterThan(2);
      expect(load()).toEqual(large);
      const told = tell(large.state, { type: "cancel", requested_by: "me", audit_id: null });
      const journal = [...large.journal, ...told.journal];
      expect(updateEvent(store, "k", journal)).toBe(1);
      expect(load()).toEqual({ state: told.state, journal });
      const small = kept("small");
      insert(small);
      expect(load()).toEqual(small);
      expect(store.query("SELECT * FROM event_part")).toEqual([]);
    }
  });

  it("[T-6.3] the definition is kept with its version, not with each of the events", () => {
    const task = "x".repeat(50_000);
    const event = kept("x", { handler: { workflow: "triage", task } });
    insert(event);
    expect(JSON.stringify(store.query("SELECT * FROM event"))).not.toContain(task);
    const asked: number[] = [];
    const { state } = loadEvent(store, "k", (version) => {
      asked.push(version);
      return stored({ handler: { workflow: "triage", task } });
    });
    expect({ state, asked }).toEqual({ state: event.state, asked: [3] });
    expect(() => loadEvent(store, "k", () => null)).toThrow("the definition of version 3 is missing");
  });

  it("[T-20.2] what could never be stored is refused before anything is written", () => {
    expect(encoded(kept("x".repeat(65_000_000)))).toBeNull();
    const { state, journal } = kept("x");
    const noted = Array.from({ length: 4_000 }, () => journal[0]).filter((one) => one !== undefined);
    expect(encodeEvent(noted, recordOf(state))).toBeNull();
  });

  it("[T-23] the row of a replay is never taken for the row of an event", () => {
    expect(isDedupeKey("delivery-1")).toBe(true);
    expect(isDedupeKey("")).toBe(false);
    expect(isDedupeKey(replayKey("delivery-1", 1))).toBe(false);
    expect(new Set([replayKey("a", 1), replayKey("a", 2), replayKey("b", 1)]).size).toBe(3);
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
