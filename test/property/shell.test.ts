import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JOURNALED } from "../../durable-objects/migrations/journaled.ts";
import { migrate, type Migration } from "../../durable-objects/migrations/migration.ts";
import { appendEntry, readEntries } from "../../durable-objects/shell/journal.ts";
import { dueEffects } from "../../durable-objects/shell/outbox.ts";
import { sqliteStore } from "../../durable-objects/storage/sqlite-store.ts";
import type { Store } from "../../durable-objects/storage/store.ts";
import { toyShell } from "../support/toy-machine.ts";

const word = fc.constantFrom("a", "b", "c", "d");

describe("idempotency keys", () => {
  it("[I5] the same key and request give the first answer for ever; another request on the key is refused", () => {
    const call = fc.record({ key: fc.constantFrom("k1", "k2", "k3"), text: word, restart: fc.boolean() });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 30 }), (calls) => {
        const store = sqliteStore();
        let shell = toyShell(store);
        const first = new Map<string, { text: string; answer: unknown }>();
        for (const { key, text, restart } of calls) {
          if (restart) shell = toyShell(store);
          const seq = shell.seq;
          const answer = shell.execute({ type: "say", text }, { key, request_digest: text });
          const known = first.get(key);
          if (known === undefined) first.set(key, { text, answer });
          else if (known.text === text) expect(answer).toEqual(known.answer);
          else expect(answer).toMatchObject({ ok: false, rejection: { code: "idempotency_key_reused" } });
          if (known !== undefined) expect(shell.seq).toBe(seq);
        }
        store.close();
      }),
      { numRuns: 60 },
    );
  });
});

describe("the journal", () => {
  const BORDER = 600_000;

  it("[W-4.7] cuts long entries into rows that the platform takes, never within a surrogate pair", () => {
    const around = fc.integer({ min: -6, max: 6 });
    fc.assert(
      fc.property(around, fc.constantFrom("😀", "é", "x", "\ud83d", "\\"), fc.nat(2), (offset, filler, extra) => {
        const store = sqliteStore();
        store.transaction(() => migrate(store, JOURNALED));
        const text = "x".repeat(BORDER + offset) + filler.repeat(8) + "y".repeat(extra * BORDER);
        appendEntry(store, { seq: 1, at_ms: 5, events: [{ text }] });
        appendEntry(store, { seq: 2, at_ms: 6, events: [] });
        expect(readEntries(store)).toEqual([
          { seq: 1, at_ms: 5, events: [{ text }] },
          { seq: 2, at_ms: 6, events: [] },
        ]);
        const rows = store
          .query("SELECT events FROM journal WHERE seq = 1 UNION ALL SELECT events FROM journal_part WHERE seq = 1")
          .map((row) => String(row["events"]));
        expect(rows.length).toBeGreaterThan(1);
        for (const row of rows) {
          expect(row.isWellFormed()).toBe(true);
          expect(Buffer.byteLength(row)).toBeLessThan(2_000_000);
        }
        store.close();
      }),
      { numRuns: 25 },
    );
  });

  it("[I2] an entry longer than a row survives a restart of its object", () => {
    const store = sqliteStore();
    const text = "😀".repeat(BORDER);
    toyShell(store).execute({ type: "say", text });
    const again = toyShell(store);
    expect(again.quarantine).toBeNull();
    expect(again.state.texts).toEqual([text]);
    store.close();
  });
});

const named = (name: string): Migration => ({ name, statements: [] });

describe("migrations", () => {
  it("[architecture 6] a database that is ahead or went another way is refused, every time and untouched", () => {
    const names = fc.array(word, { maxLength: 4 });
    fc.assert(
      fc.property(names, names, (applied, known) => {
        const store = sqliteStore();
        const base = JOURNALED.slice(0, 1);
        store.transaction(() => migrate(store, [...base, ...applied.map(named)]));
        const before = store.query("SELECT name FROM migrations ORDER BY id");
        const shell = toyShell(store, { migrations: [...base, ...known.map(named)] });
        const isPrefix = applied.every((name, index) => known[index] === name);
        for (let times = 0; times < 2; times++) {
          const say = (): unknown => shell.execute({ type: "say", text: "x" });
          if (isPrefix) expect(say).not.toThrow("migration");
          else expect(say).toThrow(/^migration \d+ of the database is/);
        }
        if (!isPrefix) {
          expect(store.query("SELECT name FROM migrations ORDER BY id")).toEqual(before);
          expect(store.query("SELECT * FROM journal")).toEqual([]);
        }
        store.close();
      }),
      { numRuns: 60 },
    );
  });
});

/** A store on which the n-th write fails. */
const failing = (store: Store, at: number): Store => {
  let writes = 0;
  return {
    ...store,
    write: (sql, ...bindings) => {
      writes += 1;
      if (writes === at) throw new Error("the disk is full");
      return store.write(sql, ...bindings);
    },
  };
};

describe("a commit", () => {
  it("[I3] that fails anywhere leaves neither rows nor alarm nor memory behind, and the next one works", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 14 }),
        fc.array(word, { maxLength: 3 }),
        fc.boolean(),
        (at, effects, warm) => {
          const real = sqliteStore();
          if (warm) toyShell(real).execute({ type: "say", text: "before" });
          const shell = toyShell(failing(real, at));
          const texts = shell.state.texts;
          const seen = (): unknown => ({
            tables: real.query("SELECT name FROM sqlite_master ORDER BY name"),
            journal:
              real.query("SELECT 1 FROM sqlite_master WHERE name = 'journal'").length === 0 ? [] : readEntries(real),
            alarm: real.alarmAt(),
          });
          const before = seen();
          let failed = false;
          try {
            shell.execute({ type: "say", text: "new", effects }, { key: "k", request_digest: "d" });
          } catch {
            failed = true;
          }
          const afterwards = failed ? seen() : before;
          const memory = failed ? shell.state.texts : texts;
          const answer = shell.execute({ type: "say", text: "new", effects }, { key: "k", request_digest: "d" });
          expect(afterwards).toEqual(before);
          expect(memory).toEqual(texts);
          expect(answer).toEqual({ ok: true, reply: texts.length + 1 });
          expect(dueEffects(real, 1_000).map(({ effect }) => effect)).toEqual(effects);
          real.close();
        },
      ),
      { numRuns: 80 },
    );
  });

  it("[I4] names its effects by object, commit and place", () => {
    fc.assert(
      fc.property(fc.array(fc.array(word, { maxLength: 3 }), { maxLength: 6 }), (commits) => {
        const store = sqliteStore();
        const shell = toyShell(store);
        for (const [index, effects] of commits.entries()) shell.execute({ type: "say", text: `t${index}`, effects });
        const expected = commits.flatMap((effects, commit) => effects.map((_, place) => `toy:${commit + 1}:${place}`));
        expect(dueEffects(store, 1_000).map(({ id }) => id)).toEqual(expected.toSorted());
        store.close();
      }),
      { numRuns: 40 },
    );
  });

  it("[I1] outstanding effects and a wake-up both have their alarm, on every instance", () => {
    const step = fc.record({
      effects: fc.array(word, { maxLength: 2 }),
      wake: fc.option(fc.nat(50_000)),
      restart: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const store = sqliteStore();
        let now = 1_000;
        const options = { now: () => now };
        let shell = toyShell(store, options);
        for (const [index, { effects, wake, restart }] of steps.entries()) {
          now += 500;
          if (restart) shell = toyShell(store, options);
          if (wake === null) shell.execute({ type: "say", text: `t${index}`, effects });
          else shell.execute({ type: "wake_at", at: now + wake });
          const owed = dueEffects(store, now).length > 0;
          const wakeAt = shell.state.wake_at;
          const alarm = store.alarmAt();
          if (owed || wakeAt !== null) expect(alarm).not.toBeNull();
          if (owed) expect(alarm ?? Infinity).toBeLessThanOrEqual(now + 10_000);
          if (wakeAt !== null) expect(alarm ?? Infinity).toBeLessThanOrEqual(Math.max(wakeAt, now));
        }
        store.close();
      }),
      { numRuns: 80 },
    );
  });
});

describe("a damaged object", () => {
  const damages: Readonly<Record<string, string>> = {
    "an entry is missing": "DELETE FROM journal WHERE seq = 2",
    "the newest entries are missing": "DELETE FROM journal WHERE seq > 1",
    "an entry is no JSON": "UPDATE journal SET events = substr(events, 1, 5) WHERE seq = 2",
    "an entry is no list": "UPDATE journal SET events = '7' WHERE seq = 3",
    "an event was changed": "UPDATE journal SET events = replace(events, 'two', 'too') WHERE seq = 2",
    "the head was changed": "UPDATE head SET state = '{}'",
    "the head is missing": "DELETE FROM head",
  };

  it.each(Object.entries(damages))("[I2] is quarantined when %s: it refuses, keeps its rows and rests", (_, sql) => {
    const store = sqliteStore();
    const shell = toyShell(store);
    for (const text of ["one", "two", "three"]) shell.execute({ type: "say", text });
    shell.execute({ type: "wake_at", at: 5_000 });
    store.write(sql);
    const journal = store.query("SELECT * FROM journal");
    const damaged = toyShell(store);
    for (let times = 0; times < 2; times++)
      expect(damaged.execute({ type: "say", text: "four" })).toMatchObject({
        ok: false,
        rejection: { code: "invariant_violated" },
      });
    expect(store.query("SELECT * FROM journal")).toEqual(journal);
    damaged.rearm(2_000);
    expect(store.alarmAt()).toBeNull();
    store.close();
  });

  it("[I2] a new reducer version writes the head anew; an old one that comes back does too", () => {
    const store = sqliteStore();
    toyShell(store).execute({ type: "say", text: "one" });
    store.write("UPDATE head SET state = '\"of an older reducer\"'");
    for (const version of [2, 1]) {
      const shell = toyShell(store, { reducer_version: version });
      expect(shell.quarantine).toBeNull();
      expect(shell.state.texts).toEqual(["one"]);
      expect(store.query("SELECT reducer_version FROM head")).toEqual([{ reducer_version: version }]);
    }
    store.close();
  });
});
