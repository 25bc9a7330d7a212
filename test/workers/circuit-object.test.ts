import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { circuitObject } from "../../src/http/circuit-object.ts";

const DESTINATION = "worker:worker://triage";

const stub = (tenant: string) => circuitObject(env, tenant, DESTINATION);

const rowsOf = (tenant: string): Promise<readonly unknown[]> =>
  runInDurableObject(stub(tenant) as unknown as DurableObjectStub, (_object, { storage }) => {
    const tables = storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'circuit'").toArray();
    return tables.length === 0 ? [] : storage.sql.exec("SELECT state FROM circuit").toArray();
  });

const fail = (tenant: string, attempt_id: string) => stub(tenant).report({ attempt_id, outcome: "failure" });

describe("a circuit's object", () => {
  it("[T-12.4] keeps what it was told beyond its own life, for each tenant apart", async () => {
    for (const attempt of ["1", "2", "3", "4"]) expect((await fail("acme", attempt)).opened).toBe(false);
    await evictDurableObject(stub("acme") as unknown as DurableObjectStub);
    expect(await fail("acme", "5")).toEqual({ opened: true, failures: 5 });
    expect(await stub("acme").allow({ attempt_id: "6" })).toMatchObject({ allowed: false });
    expect(await stub("acme").show()).toMatchObject({ state: "open", failures: 5 });
    expect(await stub("other").allow({ attempt_id: "6" })).toMatchObject({ allowed: true });
  });

  it("[rows] has no row while nothing has failed, one row afterwards, and none after a success", async () => {
    await stub("rows").allow({ attempt_id: "1" });
    await stub("rows").report({ attempt_id: "1", outcome: "success" });
    expect(await rowsOf("rows")).toHaveLength(0);
    await fail("rows", "2");
    await fail("rows", "3");
    expect(await rowsOf("rows")).toHaveLength(1);
    await stub("rows").report({ attempt_id: "4", outcome: "success" });
    expect(await rowsOf("rows")).toHaveLength(0);
  });

  it("[T-12.4] is closed by hand", async () => {
    for (const attempt of ["1", "2", "3", "4", "5"]) await fail("reset", attempt);
    expect(await stub("reset").reset()).toMatchObject({ state: "open" });
    expect(await stub("reset").allow({ attempt_id: "6" })).toEqual({ allowed: true, probe: false, failures: 0 });
  });
});
