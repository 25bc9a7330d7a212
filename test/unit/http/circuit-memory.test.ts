import { describe, expect, it } from "vitest";
import { CircuitShell } from "../../../durable-objects/shell/circuit-shell.ts";
import { sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import { CircuitMemory, circuitName, type CircuitObject } from "../../../src/http/circuit-object.ts";

const remembered = () => {
  const time = { now: 1_000 };
  const shell = new CircuitShell({ store: sqliteStore(), now: () => time.now });
  const calls: string[] = [];
  const object: CircuitObject = {
    allow: async (ask) => {
      calls.push("allow");
      return shell.allow(ask);
    },
    report: async (report) => {
      calls.push(report.outcome);
      return shell.report(report);
    },
    reset: async () => shell.reset(),
    show: async () => shell.show(),
  };
  const memory = new CircuitMemory(() => time.now);
  let count = 0;
  const allow = () => memory.allow(object, "c", { attempt_id: `a${(count += 1)}` });
  const report = (outcome: "success" | "failure") => memory.report(object, "c", { attempt_id: `a${count}`, outcome });
  return { time, shell, calls, allow, report };
};

describe("the memory of circuits", () => {
  it("[T-12.4] asks a healthy circuit once a second and reports no success to it meanwhile", async () => {
    const { time, calls, allow, report } = remembered();
    await allow();
    await report("success");
    time.now += 999;
    expect(await allow()).toEqual({ allowed: true, probe: false, failures: 0 });
    expect(calls).toEqual(["allow"]);
    time.now += 1;
    await report("success");
    await allow();
    expect(calls).toEqual(["allow", "success", "allow"]);
  });

  it("[T-12.4] reports every failure, and asks again after one", async () => {
    const { calls, allow, report } = remembered();
    await allow();
    await report("failure");
    expect(await allow()).toMatchObject({ failures: 1 });
    await report("success");
    expect(calls).toEqual(["allow", "failure", "allow", "success"]);
    expect(await allow()).toMatchObject({ failures: 0 });
  });

  it("[T-12.4] believes an open circuit for a second, never beyond its time, and asks for every probe", async () => {
    const { time, shell, calls, allow } = remembered();
    for (let i = 0; i < 5; i += 1) shell.report({ attempt_id: `f${i}`, outcome: "failure" });
    time.now += 59_500;
    expect((await allow()).allowed).toBe(false);
    time.now += 499;
    expect((await allow()).allowed).toBe(false);
    expect(calls).toEqual(["allow"]);
    time.now += 1;
    expect(await allow()).toMatchObject({ allowed: true, probe: true });
    expect((await allow()).allowed).toBe(false);
    expect(calls).toEqual(["allow", "allow", "allow"]);
  });

  it("[T-24] names a circuit after its tenant and destination, a long one after its digest", () => {
    expect(circuitName("acme", "worker:worker://q")).toBe("acme/worker:worker://q");
    const long = circuitName("acme", `http:https://x.example/${"y".repeat(600)}`);
    expect(long).toMatch(/^acme\/sha256:[0-9a-f]{64}$/);
  });
});
