import { describe, expect, it } from "vitest";
import { concurrency, debounce, Gates, rateLimit, singleton, throttle } from "./fixture.ts";

const slot = (fairKey: string, rank = 0) => concurrency(2, rank, fairKey);

const all = () => [debounce(1_000), rateLimit(2, 60_000), throttle(1, 10_000), singleton(), concurrency(1)];

describe("singleton", () => {
  it("[T-10] one is active; others are skipped until it leaves", () => {
    const gates = new Gates();
    expect([gates.said("a", singleton()), gates.said("b", singleton())]).toEqual(["admitted", "singleton_active"]);
    expect(gates.said("c", singleton("t@v1:other"))).toBe("admitted");
    gates.leave("a");
    expect(gates.said("d", singleton())).toBe("admitted");
    gates.leave("d");
    const own = gates.audit.filter(({ topic }) => topic === "trigger.singleton.t_v1__global");
    expect(own.map(({ kind }) => kind)).toEqual([
      "singleton_acquired",
      "singleton_skipped",
      "singleton_released",
      "singleton_acquired",
      "singleton_released",
    ]);
    expect(own[1]?.payload).toEqual({ gate: "t@v1:_global" });
  });

  it("[T-10] the permit of a dispatch that nobody renews is free when its lease ends", () => {
    const gates = new Gates({ lease_ms: 60_000 });
    gates.enter("a", singleton());
    gates.commit(gates.flow.renew("a", 1_090_000));
    gates.commit(gates.flow.renew("a", 1_080_000));
    gates.rebuild();
    expect(gates.flow.nextDueAt()).toBe(1_090_000);
    gates.now += 89_999;
    expect(gates.said("b", singleton())).toBe("singleton_active");
    gates.now += 1;
    expect(gates.said("c", singleton())).toBe("admitted");
    expect(gates.news()).toEqual(["e:a"]);
    expect(gates.flow.verdictOf("a")).toEqual({ status: "suspended" });
  });

  it("[T-10] a suspended dispatch gives its permits back and waits for them when it resumes", () => {
    const gates = new Gates();
    gates.enter("a", singleton(), concurrency(1));
    gates.commit(gates.flow.suspend("a", gates.now));
    expect(gates.said("b", singleton(), concurrency(1))).toBe("admitted");
    const resumed = gates.flow.resume("a", gates.now);
    gates.commit(resumed.changes);
    expect(resumed.verdict).toEqual({ status: "parked", on: "singleton" });
    gates.rebuild();
    gates.leave("b");
    expect(gates.news()).toEqual(["w:a"]);
    expect(gates.flow.verdictOf("a")).toEqual({ status: "admitted", members: [] });
    expect(gates.said("c", singleton())).toBe("singleton_active");
  });

  it("[T-10] only what is admitted can be suspended, and only what is suspended resumes", () => {
    const gates = new Gates();
    gates.enter("a", concurrency(1));
    gates.enter("b", concurrency(1));
    expect(gates.flow.suspend("b", gates.now).tickets).toEqual([]);
    expect(gates.flow.resume("a", gates.now).verdict).toEqual({ status: "admitted", members: [] });
    expect(gates.flow.resume("x", gates.now).verdict).toEqual({ status: "unknown" });
    gates.commit(gates.flow.suspend("a", gates.now));
    gates.leave("b");
    const resumed = gates.flow.resume("a", gates.now);
    expect([resumed.verdict.status, resumed.changes.woken]).toEqual(["admitted", []]);
  });
});

describe("concurrency", () => {
  it("[T-10] waiters go by rank, then by arrival", () => {
    const gates = new Gates();
    expect(gates.said("p1", concurrency(1, 2))).toBe("admitted");
    for (const [id, rank] of [
      ["p2", 3],
      ["p3", 2],
      ["p4", 0],
      ["p5", 2],
    ] as const)
      gates.enter(id, concurrency(1, rank));
    for (const id of ["p1", "p4", "p3", "p5", "p2"]) gates.leave(id);
    expect(gates.news()).toEqual(["w:p4", "w:p3", "w:p5", "w:p2"]);
    expect(gates.audit.slice(0, 2).map(({ kind, payload }) => ({ kind, payload }))).toEqual([
      { kind: "concurrency_acquired", payload: { gate: "t@v1:_global", token: "p1", max: 1 } },
      { kind: "concurrency_released", payload: { gate: "t@v1:_global" } },
    ]);
    expect([gates.tickets.size, gates.flow.nextDueAt()]).toEqual([0, null]);
  });

  it("[T-10] among equals the fair key with the fewest slots goes first", () => {
    const gates = new Gates();
    for (const id of ["a1", "a2", "a3", "a4"]) gates.enter(id, slot("a"));
    gates.enter("b1", slot("b"));
    gates.enter("b2", slot("b"));
    gates.leave("a1");
    gates.leave("a2");
    gates.rebuild();
    expect(gates.news()).toEqual(["w:b1", "w:a3"]);
    gates.leave("a3");
    expect(gates.news()).toEqual(["w:a4"]);
    gates.enter("c1", slot("a", -1));
    gates.leave("b1");
    expect(gates.news()).toEqual(["w:c1"]);
  });

  it("[T-10] only the head may take a slot: a newcomer with a higher max does not overtake it", () => {
    const gates = new Gates();
    gates.enter("a", concurrency(1));
    gates.enter("b", concurrency(1));
    expect(gates.said("c", concurrency(2))).toBe("parked");
    gates.leave("a");
    expect(gates.news()).toEqual(["w:b", "w:c"]);
  });

  it("[T-10] a cancelled waiter is passed over, and one who left twice frees one slot", () => {
    const gates = new Gates();
    for (const id of ["a", "b", "c", "d"]) gates.enter(id, concurrency(1));
    gates.leave("b");
    gates.leave("a");
    gates.leave("a");
    gates.leave("unknown");
    expect(gates.news()).toEqual(["w:c"]);
  });

  it("[T-10] the same dispatch again gets its verdict again, and nothing changes", () => {
    const gates = new Gates();
    gates.enter("a", concurrency(1));
    gates.enter("b", concurrency(1));
    const rows = [...gates.tickets.values()];
    expect([gates.enter("a", concurrency(1)), gates.enter("b", concurrency(1))]).toEqual([
      { status: "admitted", members: [] },
      { status: "parked", on: "concurrency" },
    ]);
    expect([...gates.tickets.values()]).toEqual(rows);
    expect(gates.audit.length).toBe(1);
  });

  it("[T-10] a lease that ends lets the next waiter in", () => {
    const gates = new Gates({ lease_ms: 60_000 });
    gates.enter("a", concurrency(1));
    gates.enter("b", concurrency(1));
    gates.pass(60_000);
    expect(gates.news()).toEqual(["w:b", "e:a"]);
    gates.leave("a");
    expect([...gates.tickets.keys()]).toEqual(["b"]);
  });

  it("[T-10] a singleton is held while its dispatch waits for a slot, and freed when that is cancelled", () => {
    const gates = new Gates();
    gates.enter("a", concurrency(1));
    expect(gates.said("b", singleton(), concurrency(1))).toBe("parked");
    gates.rebuild();
    expect(gates.said("c", singleton(), concurrency(1))).toBe("singleton_active");
    gates.leave("b");
    expect(gates.said("d", singleton(), concurrency(1))).toBe("parked");
  });
});

describe("several gates", () => {
  it("[T-10] a dispatch passes them in order and can be skipped at a later one", () => {
    const gates = new Gates();
    gates.enter("a", ...all());
    gates.pass(1_000);
    gates.enter("b", ...all());
    gates.pass(1_000);
    expect(gates.flow.verdictOf("b")).toEqual({ status: "parked", on: "throttle" });
    gates.enter("c", ...all());
    gates.pass(1_000);
    gates.pass(10_000);
    expect(gates.news()).toEqual(["w:a", "s:c:rate_limited", "s:b:singleton_active"]);
  });

  it("[T-10] without gates a dispatch goes on at once", () => {
    const gates = new Gates();
    expect(gates.enter("a")).toEqual({ status: "admitted", members: [] });
    expect(gates.flow.verdictOf("a")).toEqual({ status: "unknown" });
  });
});
