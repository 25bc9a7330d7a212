import { describe, expect, it } from "vitest";
import { CircuitShell } from "../../../durable-objects/shell/circuit-shell.ts";
import { sqliteStore } from "../../../durable-objects/storage/sqlite-store.ts";
import { circuitOpenedText, circuitOpenText } from "../../../src/engine/trigger/circuit.ts";

const circuit = () => {
  const store = sqliteStore();
  const time = { now: 1_000_000 };
  const woken = () => new CircuitShell({ store, now: () => time.now });
  let count = 0;
  const report = (outcome: "success" | "failure" | "unused", attempt_id = `a${(count += 1)}`) =>
    woken().report({ attempt_id, outcome });
  const allow = (attempt_id = "ask", lease_ms?: number) => woken().allow({ attempt_id, lease_ms });
  const opened = () => Array.from({ length: 5 }, () => report("failure").opened);
  return { store, time, woken, report, allow, opened };
};

describe("a circuit", () => {
  it("[T-12.4] opens with the fifth failure in a row, not with an earlier one", () => {
    const { opened, woken } = circuit();
    expect(opened()).toEqual([false, false, false, false, true]);
    expect(woken().show()).toEqual({
      state: "open",
      failures: 5,
      opened_at_ms: 1_000_000,
      retry_at_ms: 1_060_000,
    });
  });

  it("[T-12.4] starts to count anew after a success", () => {
    const { report, woken } = circuit();
    for (let i = 0; i < 4; i += 1) report("failure");
    report("success");
    expect(woken().show()).toMatchObject({ state: "closed", failures: 0 });
    expect(report("failure")).toEqual({ opened: false, failures: 1 });
  });

  it("[T-12.4] counts a report once, and answers it as before when it comes again", () => {
    const { report, opened, woken } = circuit();
    expect([report("failure", "x"), report("failure", "x")]).toEqual([
      { opened: false, failures: 1 },
      { opened: false, failures: 1 },
    ]);
    opened();
    expect(woken().show().failures).toBe(6);
    expect(report("failure", "last").opened).toBe(true);
    expect(report("failure", "last").opened).toBe(true);
    expect(woken().show().failures).toBe(7);
  });

  it("[T-12.4] lets nothing pass for sixty seconds, then one probe at a time", () => {
    const { opened, allow, time } = circuit();
    opened();
    time.now += 59_999;
    expect(allow("p")).toEqual({ allowed: false, retry_at_ms: 1_060_000 });
    time.now += 1;
    expect(allow("p")).toMatchObject({ allowed: true, probe: true });
    expect(allow("p")).toMatchObject({ allowed: true, probe: true });
    expect(allow("q")).toEqual({ allowed: false, retry_at_ms: time.now + 60_000 });
    time.now += 60_000;
    expect(allow("q")).toMatchObject({ allowed: true, probe: true });
  });

  it("[T-12.4] keeps a probe's place as long as it says it may take", () => {
    const { opened, allow, time, woken } = circuit();
    opened();
    time.now += 60_000;
    allow("p", 300_000);
    time.now += 299_999;
    expect(allow("q").allowed).toBe(false);
    expect(woken().show()).toMatchObject({ state: "half_open", retry_at_ms: time.now + 1 });
    time.now += 1;
    expect(woken().show()).toMatchObject({ state: "half_open", retry_at_ms: null });
    expect(allow("q").allowed).toBe(true);
  });

  it("[T-12.4] opens anew when the probe fails, and closes when it succeeds", () => {
    const { opened, allow, time, report, woken } = circuit();
    opened();
    time.now += 60_000;
    allow("p");
    expect(report("failure", "p")).toEqual({ opened: true, failures: 6 });
    expect(allow("q")).toEqual({ allowed: false, retry_at_ms: time.now + 60_000 });
    time.now += 60_000;
    allow("q");
    report("success", "q");
    expect(woken().show()).toEqual({ state: "closed", failures: 0, opened_at_ms: null, retry_at_ms: null });
  });

  it("[T-12.4] gives the place of a probe that was not made to the next one", () => {
    const { opened, allow, time, report } = circuit();
    opened();
    time.now += 60_000;
    allow("p");
    report("unused", "other");
    expect(allow("q").allowed).toBe(false);
    report("unused", "p");
    expect(allow("q")).toMatchObject({ allowed: true, probe: true });
  });

  it("[T-12.4] is closed by hand", () => {
    const { opened, allow, woken } = circuit();
    opened();
    expect(woken().reset()).toMatchObject({ state: "open" });
    expect(allow()).toEqual({ allowed: true, probe: false, failures: 0 });
  });

  it("[rows] a destination without failures writes nothing, and each change one row", () => {
    const { store, report, allow, time } = circuit();
    allow();
    report("success");
    report("unused");
    expect(store.rowsWritten()).toBe(0);
    report("failure");
    const written = () => {
      const before = store.rowsWritten();
      return (act: () => unknown): number => {
        act();
        return store.rowsWritten() - before;
      };
    };
    expect(written()(() => report("failure"))).toBe(1);
    expect(written()(() => allow())).toBe(0);
    expect(written()(() => [report("failure"), report("failure"), report("failure")])).toBe(3);
    expect(written()(() => allow())).toBe(0);
    time.now += 60_000;
    expect(written()(() => allow("p"))).toBe(1);
    expect(written()(() => report("success", "p"))).toBe(1);
    expect(written()(() => report("success", "p"))).toBe(0);
  });
});

describe("what a circuit says", () => {
  it("[T-12.3] whole seconds to wait, one at least", () => {
    const texts = [59_999, 200, -5].map((ms) => circuitOpenText("local:f", 100_000 + ms, 100_000));
    expect(texts).toEqual([
      "destination circuit open for local:f; retry after 59s",
      "destination circuit open for local:f; retry after 1s",
      "destination circuit open for local:f; retry after 1s",
    ]);
  });

  it("[T-12.3] the failure that opened it", () => {
    expect(circuitOpenedText("worker:worker://q", "boom")).toBe(
      "destination circuit opened for worker:worker://q after 5 consecutive failures: boom",
    );
  });
});
