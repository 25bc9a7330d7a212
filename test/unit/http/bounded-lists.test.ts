import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deadLetterPosition, listDeadLetters } from "../../../src/http/dead-letter-rows.ts";
import { listEvents } from "../../../src/http/event-rows.ts";
import { type Candidate, nextCandidates, type Operation } from "../../../src/http/operation-rows.ts";
import { deadLetterQuery } from "../../../src/schema/api-dlq.ts";
import type { EventQuery } from "../../../src/schema/trigger-event.ts";
import { MemoryDatabase } from "../../support/memory-database.ts";

let database: MemoryDatabase;

beforeEach(() => {
  database = new MemoryDatabase();
});

afterEach(() => {
  database.close();
});

const STATES = ["pending", "resolved", "discarded"] as const;

const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();

/** A letter a minute, the states taking turns. */
const letters = (count: number) =>
  Array.from({ length: count }, (_, minute) => ({
    tenant: "acme",
    dlq_id: `dlq_${String(minute).padStart(3, "0")}`,
    seq: 1,
    event_id: `trigger_evt_${minute}`,
    trigger_id: minute % 2 === 0 ? "even" : "odd",
    provider: "github",
    kind: "push",
    state: STATES[minute % 3] ?? "pending",
    error_class: "unknown",
    created_at: at(minute),
    updated_at: at(minute),
  }));

const idsOf = (rows: readonly { readonly dlq_id: string }[]): readonly string[] => rows.map(({ dlq_id }) => dlq_id);

/** Nothing is sorted, and no table is read as a whole. */
const expectBounded = (): void => {
  expect(database.plans).not.toEqual([]);
  for (const step of database.plans) expect(step).toMatch(/^(?:SEARCH .*\(tenant=\?|MERGE|COMPOUND)/);
};

describe("lists of dead letters", () => {
  it("[T-12.7] a list of all states is in one order, page by page, and sorts nothing", async () => {
    database.insert("dead_letters", letters(10));
    const query = deadLetterQuery.parse({ state: "all", limit: "4" });
    const first = await listDeadLetters(database.d1, "acme", query, null);
    expect(idsOf(first)).toEqual(["dlq_009", "dlq_008", "dlq_007", "dlq_006", "dlq_005"]);
    const last = first[3];
    const second = await listDeadLetters(
      database.d1,
      "acme",
      query,
      last === undefined ? null : deadLetterPosition(last),
    );
    expect(idsOf(second)).toEqual(["dlq_005", "dlq_004", "dlq_003", "dlq_002", "dlq_001"]);
    expectBounded();
  });

  it("[T-12.7] so is one of a trigger, and one of a state", async () => {
    database.insert("dead_letters", letters(10));
    const odd = deadLetterQuery.parse({ state: "all", trigger_id: "odd", since: at(4) });
    expect(idsOf(await listDeadLetters(database.d1, "acme", odd, null))).toEqual(["dlq_009", "dlq_007", "dlq_005"]);
    const pending = await listDeadLetters(database.d1, "acme", deadLetterQuery.parse({}), null);
    expect(idsOf(pending)).toEqual(["dlq_009", "dlq_006", "dlq_003", "dlq_000"]);
    expect(await listDeadLetters(database.d1, "other", deadLetterQuery.parse({}), null)).toEqual([]);
    expectBounded();
  });
});

const begun = at(1_000);

const operation = (given: Partial<Operation>): Operation => ({
  tenant: "acme",
  operation_id: "operation_1",
  kind: "replay",
  state: "running",
  request: NOTHING_NAMED,
  cursor: "",
  matched: 0,
  executed: 0,
  skipped: 0,
  created_at: begun,
  updated_at: begun,
  ...given,
});

const NOTHING_NAMED = { dry_run: true, where: null } as Operation["request"];

/** An event a minute; their ids are in another order than they are. */
const events = (count: number) =>
  Array.from({ length: count }, (_, minute) => ({
    tenant: "acme",
    event_id: `trigger_evt_${minute}`,
    seq: 1,
    trigger_id: minute % 2 === 0 ? "even" : "odd",
    provider: "manual",
    kind: "manual",
    dedupe_key: `key ${minute}`,
    status: "dispatched",
    received_at: at(minute),
    updated_at: at(minute),
  }));

/** Everything that an operation looks at, three at a time. */
const looked = async (given: Partial<Operation>): Promise<readonly Candidate[]> => {
  const found: Candidate[] = [];
  for (let cursor = ""; ; cursor = found.at(-1)?.cursor ?? "") {
    const page = await nextCandidates(database.d1, operation({ ...given, cursor }), 3);
    if (page.length === 0) return found;
    found.push(...page);
  }
};

const listed = async (query: Partial<EventQuery>): Promise<readonly string[]> => {
  const now = Date.parse(at(60));
  const rows = await listEvents(database.d1, "acme", { limit: 3, ...query }, { after: null, now });
  return rows.map(({ event_id }) => event_id);
};

describe("lists of events", () => {
  it("[T-15] what is open is found among any number of events that are over", async () => {
    const waiting = [2, 5, 8];
    const status = (minute: number): string => (waiting.includes(minute) ? "waiting" : "dispatched");
    database.insert(
      "events",
      events(12).map((row, minute) => ({ ...row, status: minute === 3 ? "accepted" : status(minute) })),
    );
    expect(await listed({ status: "waiting" })).toEqual(["trigger_evt_8", "trigger_evt_5", "trigger_evt_2"]);
    expect(await listed({ status: "waiting", trigger_id: "odd" })).toEqual(["trigger_evt_5"]);
    expect(await listed({ view: "unsettled", trigger_id: "even" })).toEqual(["trigger_evt_2", "trigger_evt_8"]);
    expect(await listed({ view: "stranded" })).toEqual(["trigger_evt_3"]);
    expect(await listed({ view: "terminal", status: "waiting" })).toEqual([]);
    for (const step of database.plans) expect(step).toContain("USING INDEX events_open");
  });

  it("[T-15] all others are in the order of their index", async () => {
    database.insert("events", events(12));
    const newest = ["trigger_evt_11", "trigger_evt_10", "trigger_evt_9", "trigger_evt_8"];
    expect(await listed({})).toEqual(newest);
    expect(await listed({ status: "dispatched" })).toEqual(newest);
    expect(await listed({ trigger_id: "odd", view: "terminal", since: at(8) })).toEqual([
      "trigger_evt_11",
      "trigger_evt_9",
    ]);
    expectBounded();
  });
});

describe("operations on many events", () => {
  it("[T-22.6] look at the events of their time, oldest first, and read no others", async () => {
    database.insert("events", events(12));
    const all = await looked({});
    expect(all.map(({ event_id }) => event_id)).toEqual(events(12).map(({ event_id }) => event_id));
    expect(all[0]).toMatchObject({ dlq_id: null, dedupe_key: "key 0" });
    const request = { ...NOTHING_NAMED, trigger_id: "odd", since: at(3), until: at(9) };
    const some = await looked({ request });
    expect(some.map(({ event_id }) => event_id)).toEqual([3, 5, 7, 9].map((minute) => `trigger_evt_${minute}`));
    expect(await looked({ created_at: at(-1) })).toEqual([]);
    expectBounded();
  });

  it("[T-22.6] look at pending dead letters, with where their events lie", async () => {
    database.insert("events", events(12));
    database.insert("dead_letters", letters(12));
    const found = await looked({ kind: "dlq_retry" });
    expect(found).toMatchObject(
      [0, 3, 6, 9].map((minute) => ({ dlq_id: `dlq_00${minute}`, dedupe_key: `key ${minute}` })),
    );
    const odd = { ...NOTHING_NAMED, trigger_id: "odd", error_class: "unknown" };
    expect(await looked({ kind: "dlq_discard", request: odd })).toMatchObject([
      { dlq_id: "dlq_003" },
      { dlq_id: "dlq_009" },
    ]);
    expectBounded();
  });
});
