import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrate } from "../../../durable-objects/migrations/migration.ts";
import { TRIGGER } from "../../../durable-objects/migrations/trigger.ts";
import { KeyedSecrets } from "../../../durable-objects/shell/keyed-secrets.ts";
import { type SqliteStore, sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import type { SealedSecret } from "../../../src/schema/trigger-secret.ts";
import { NOON } from "./fixture.ts";

const DAY = 86_400_000;

let store: SqliteStore;
let secrets: KeyedSecrets;

beforeEach(() => {
  store = sqliteStore();
  store.transaction(() => migrate(store, TRIGGER));
  secrets = new KeyedSecrets(store);
});

afterEach(() => store.close());

const sealed = (name: string): SealedSecret => ({ sealed: `sealed ${name}`, digests: [name] });

const rotate = (
  name: string,
  now: number,
  change: { readonly overlap_ms?: number; readonly is_generated?: boolean } = {},
) => secrets.rotate(sealed(name), { now, overlap_ms: DAY, is_generated: false, ...change });

const valid = (now: number): readonly string[] => secrets.held(now).map(({ id }) => id);

const stored = (): readonly unknown[] => store.query("SELECT id FROM secret ORDER BY id").map((row) => row["id"]);

describe("put", () => {
  it("[T-5.9] a secret takes the place of all before, and the same one changes nothing", () => {
    expect(secrets.put(sealed("a"), NOON)).toEqual({ id: "a", changed: true });
    expect(secrets.put(sealed("a"), NOON + 1)).toEqual({ id: "a", changed: false });
    rotate("b", NOON + 2);
    expect(secrets.put(sealed("c"), NOON + 3)).toEqual({ id: "c", changed: true });
    expect(stored()).toEqual(["c"]);
    expect(secrets.put(null, NOON + 4)).toBeNull();
    expect(stored()).toEqual([]);
  });

  it("[T-5.9] putting the current secret again leaves the one before valid", () => {
    secrets.put(sealed("a"), NOON);
    rotate("b", NOON);
    expect(secrets.put(sealed("b"), NOON + 1)).toEqual({ id: "b", changed: false });
    expect(valid(NOON + 1)).toEqual(["b", "a"]);
  });

  it("[T-26.2] a secret that comes under another master key is the same secret, kept under the new one", () => {
    secrets.put(sealed("a"), NOON);
    expect(secrets.put({ sealed: "under k2", digests: ["a2", "a"] }, NOON)).toEqual({ id: "a", changed: false });
    expect(secrets.held(NOON)).toEqual([{ id: "a", sealed: "under k2", expires_at_ms: null }]);
    expect(secrets.put({ sealed: "without k1", digests: ["a2"] }, NOON)?.changed).toBe(false);
  });
});

it("[T-6.1] what putting would change is known before", () => {
  const [a, b, again] = [sealed("a"), sealed("b"), { sealed: "under k2", digests: ["a2", "a"] } as const];
  expect([null, a].map((one) => secrets.changes(one, NOON))).toEqual([false, true]);
  secrets.put(a, NOON);
  expect([null, a, b, again].map((one) => secrets.changes(one, NOON))).toEqual([true, false, true, false]);
});

describe("rotation", () => {
  it("[T-5.9] two are valid until the overlap is over, then the earlier one is deleted", () => {
    secrets.put(sealed("a"), NOON);
    expect(rotate("b", NOON)).toEqual({ id: "b", changed: true });
    expect(valid(NOON + DAY - 1)).toEqual(["b", "a"]);
    expect(secrets.view(NOON + DAY - 1)).toEqual({
      current: { created_at: "2026-04-19T12:00:00.000Z" },
      previous: { created_at: "2026-04-19T12:00:00.000Z", expires_at: "2026-04-20T12:00:00.000Z" },
    });
    expect(stored()).toEqual(["a", "b"]);
    expect(valid(NOON + DAY)).toEqual(["b"]);
    expect(stored()).toEqual(["b"]);
    expect(secrets.view(NOON + DAY).previous).toBeNull();
  });

  it("[T-5.9] at most two are valid: a third ends the oldest at once", () => {
    secrets.put(sealed("a"), NOON);
    rotate("b", NOON);
    rotate("c", NOON + 1);
    expect(valid(NOON + 1)).toEqual(["c", "b"]);
    expect(stored()).toEqual(["b", "c"]);
  });

  it("[T-5.9] without an overlap the one before ends at once", () => {
    secrets.put(sealed("a"), NOON);
    rotate("b", NOON, { overlap_ms: 0 });
    expect(stored()).toEqual(["b"]);
  });

  it("[T-5.9] a repeated rotation changes nothing, and the one before can be rotated back", () => {
    secrets.put(sealed("a"), NOON);
    rotate("b", NOON);
    expect(rotate("b", NOON + 5)).toEqual({ id: "b", changed: false });
    expect(secrets.held(NOON + 5)[1]).toMatchObject({ id: "a", expires_at_ms: NOON + DAY });
    expect(rotate("a", NOON + 6)).toEqual({ id: "a", changed: true });
    expect(valid(NOON + 6)).toEqual(["a", "b"]);
  });

  it("[T-5.9] a late repetition of a request that made a secret does not rotate it back in", () => {
    secrets.put(sealed("a"), NOON);
    rotate("made", NOON, { is_generated: true });
    rotate("b", NOON + 1);
    expect(rotate("made", NOON + 2, { is_generated: true })).toEqual({ id: "made", changed: false });
    expect(valid(NOON + 2)).toEqual(["b", "made"]);
  });

  it("[T-26.2] the tag changes with what is valid, by rotation and by time, and not by sealing anew", () => {
    secrets.put(sealed("a"), NOON);
    const tags = [secrets.tag(NOON)];
    rotate("b", NOON);
    tags.push(secrets.tag(NOON));
    secrets.reseal([{ id: "b", sealed: "anew", digest: "b2" }]);
    expect(secrets.tag(NOON)).toBe(tags[1]);
    expect(secrets.held(NOON)[0]).toEqual({ id: "b", sealed: "anew", expires_at_ms: null });
    tags.push(secrets.tag(NOON + DAY));
    expect(new Set(tags).size).toBe(3);
  });
});

describe("databases", () => {
  it("[T-5.9] an earlier version's table of plain secrets goes with the first look", () => {
    const old = sqliteStore();
    old.transaction(() => migrate(old, TRIGGER.slice(0, 2)));
    old.write("INSERT INTO secret (digest, secret) VALUES ('d', 's3cr3t')");
    expect(new KeyedSecrets(old).held(NOON)).toEqual([]);
    expect(old.query("SELECT * FROM secret")).toEqual([]);
    old.close();
  });

  it("[T-26.2] looking at a database without a schema gives it none", () => {
    const empty = sqliteStore();
    const none = new KeyedSecrets(empty);
    expect(none.held(NOON)).toEqual([]);
    none.drop();
    none.reseal([{ id: "a", sealed: "b", digest: "c" }]);
    expect(empty.query("SELECT name FROM sqlite_master")).toEqual([]);
    empty.close();
  });
});
