import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deadLetterPosition, listDeadLetters } from "../../../src/http/dead-letter-rows.ts";
import { nextCandidates, type Operation } from "../../../src/http/operation-rows.ts";
import { uuidIds } from "../../../src/ports/ids.ts";
import { deadLetterQuery } from "../../../src/schema/api-dlq.ts";
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

describe("operations on many events", () => {
  const begun = new Date(Date.now() + 60_000).toISOString();

  const operation = (request: object): Operation => ({
    tenant: "acme",
    operation_id: "operation_1",
    kind: "replay",
    state: "running",
    request: { dry_run: true, where: null, version: null, as_of: null, ...request } as unknown as Operation["request"],
    cursor: "",
    matched: 0,
    executed: 0,
    skipped: 0,
    created_at: begun,
    updated_at: begun,
  });

  const event = (id: string, received_at: string) => ({
    tenant: "acme",
    event_id: id,
    seq: 1,
    trigger_id: "orders",
    provider: "manual",
    kind: "manual",
    dedupe_key: id,
    status: "dispatched",
    received_at,
    updated_at: received_at,
  });

  const found = async (request: object): Promise<readonly string[]> => {
    const candidates = await nextCandidates(database.d1, operation(request), 10);
    return candidates.map(({ event_id }) => event_id);
  };

  it("[T-22.6] events of a time are found by their ids, without reading those before and after it", async () => {
    const now = Date.now();
    const id = uuidIds("trigger_evt");
    // Ids of other times: the first digits of a UUID of version 7 are its time.
    const old = "trigger_evt_00000000-0000-7000-8000-000000000000";
    const late = "trigger_evt_ffffffff-ffff-7000-8000-000000000000";
    const received_at = new Date(now).toISOString();
    // All of them say that they came in now: which of them is read shows by what is found.
    database.insert("events", [event(old, received_at), event(id, received_at), event(late, received_at)]);
    expect(await found({ since: new Date(now - 1_000).toISOString() })).toEqual([id]);
    expect(await found({})).toEqual([old, id]);
    expect(await found({ since: new Date(now + 3_600_000).toISOString() })).toEqual([]);
    expectBounded();
  });
});
