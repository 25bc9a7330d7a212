import { describe, expect, it } from "vitest";
import { migrateDatabase, refusal, send } from "./http-setup.ts";

describe("health", () => {
  it("[api] is given once the database has its tables, and until then says what is missing", async () => {
    expect(await refusal(send("/healthz"))).toMatchObject({
      status: 503,
      code: "unavailable",
      detail: expect.stringContaining("migrations"),
    });
    await migrateDatabase();
    expect(await (await send("/healthz")).json()).toEqual({ status: "ok" });
  });
});
