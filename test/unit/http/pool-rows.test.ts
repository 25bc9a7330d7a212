import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listPools, poolPosition } from "../../../src/http/pool-rows.ts";
import { poolQuery } from "../../../src/schema/api-pool.ts";
import { MemoryDatabase } from "../../support/memory-database.ts";
import { configOf } from "../pool/fixture.ts";

let database: MemoryDatabase;

beforeEach(() => {
  database = new MemoryDatabase();
});

afterEach(() => {
  database.close();
});

const rows = (count: number) =>
  Array.from({ length: count }, (_, minute) => {
    const scope_id = minute % 2 === 0 ? "even" : "odd";
    const config = configOf({ name: `n${minute % 3}`, scope: "pipeline", scope_id });
    return {
      tenant: "acme",
      pool_id: `pool_${minute}`,
      scope: "pipeline",
      scope_id,
      name: config.name,
      config: JSON.stringify(config),
      created_at: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(),
    };
  });

const idsOf = (items: readonly { readonly id: string }[]): readonly string[] => items.map(({ id }) => id);

const list = (query: object, after: Parameters<typeof listPools>[2]["after"] = null) =>
  listPools(database.d1, "acme", { query: poolQuery.parse(query), after });

describe("the list of pools", () => {
  it("[L-26.1] is in the order of their creation, page by page", async () => {
    database.insert("pools", rows(5));
    const first = await list({ limit: "2" });
    expect(idsOf(first)).toEqual(["pool_0", "pool_1", "pool_2"]);
    const last = first[1];
    expect(idsOf(await list({}, last === undefined ? null : poolPosition(last)))).toEqual([
      "pool_2",
      "pool_3",
      "pool_4",
    ]);
    expect(first[0]).toEqual({
      id: "pool_0",
      name: "n0",
      scope: "pipeline",
      scope_id: "even",
      max_concurrent: 1,
      queue_strategy: "priority",
      backpressure: { _type: "backpressure", kind: "unbounded" },
      created_at: "2026-01-01T00:00:00.000Z",
    });
  });

  it("[L-26.1] finds pools by their names and by whose they are, and reads and sorts no others", async () => {
    database.insert("pools", rows(6));
    expect(idsOf(await list({ name: "n1" }))).toEqual(["pool_1", "pool_4"]);
    expect(idsOf(await list({ scope: "pipeline", scope_id: "odd" }))).toEqual(["pool_1", "pool_3", "pool_5"]);
    expect(idsOf(await list({ name: "n1", scope_id: "odd" }))).toEqual(["pool_1"]);
    expect(await list({ scope: "session" })).toEqual([]);
    expect(await listPools(database.d1, "other", { query: poolQuery.parse({}), after: null })).toEqual([]);
    expect(database.plans).toHaveLength(5);
    for (const step of database.plans) expect(step).toMatch(/^SEARCH pools USING INDEX pools_by_\w+ \(tenant=\?/);
    expect(database.plans.slice(0, 2).join()).toMatch(/by_name .*name=\?.*by_scope .*scope_id=\?/);
  });
});
