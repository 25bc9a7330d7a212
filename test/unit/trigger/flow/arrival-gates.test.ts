import { describe, expect, it } from "vitest";
import { batch, debounce, Gates, rateLimit, throttle } from "./fixture.ts";

describe("batch", () => {
  it("[T-10] the first arrival leads; a full group goes on as one dispatch with its members in order", () => {
    const gates = new Gates();
    expect([gates.said("a", batch(3, 5_000)), gates.said("b", batch(3, 5_000))]).toEqual(["parked", "parked"]);
    expect(gates.news()).toEqual([]);
    const last = gates.flow.enter({ id: "c", requirements: [batch(3, 5_000)] }, gates.now);
    expect(last.verdict).toEqual({ status: "skipped", reason: "batch_merged", leader: "a" });
    expect(last.changes.woken).toEqual([{ id: "a", members: ["a", "b", "c"] }]);
    expect(last.changes.skipped).toEqual([{ id: "b", reason: "batch_merged", leader: "a" }]);
    expect([last.changes.removed.toSorted(), last.changes.tickets]).toEqual([["a", "b"], []]);
  });

  it("[T-10] the first arrival fixes the deadline, at which the group goes on as it is", () => {
    const gates = new Gates();
    gates.enter("a", batch(3, 5_000));
    gates.pass(4_999);
    gates.enter("b", batch(3, 5_000));
    expect(gates.flow.nextDueAt()).toBe(1_005_000);
    expect(gates.news()).toEqual([]);
    gates.pass(1);
    expect(gates.news()).toEqual(["w:a", "s:b:batch_merged"]);
    expect(gates.audit).toEqual([
      expect.objectContaining({ kind: "batch_enqueued", payload: { gate: "t@v1:_global", token: "a", size: 3 } }),
      expect.objectContaining({ kind: "batch_enqueued", payload: { gate: "t@v1:_global", token: "b", size: 3 } }),
      {
        topic: "trigger.batch.t_v1__global",
        gate: "t@v1:_global",
        kind: "batch_dispatched",
        payload: { gate: "t@v1:_global", count: 2 },
      },
    ]);
    expect([gates.flow.nextDueAt(), gates.tickets.size]).toEqual([null, 0]);
  });

  it("[T-10] a group of one goes on at once", () => {
    expect(new Gates().enter("a", batch(1, 5_000))).toEqual({ status: "admitted", members: ["a"] });
  });

  it("[T-10] an arrival after an overdue deadline starts a group of its own", () => {
    const gates = new Gates();
    gates.enter("a", batch(2, 5_000));
    gates.now += 6_000;
    expect(gates.said("b", batch(2, 5_000))).toBe("parked");
    expect(gates.news()).toEqual(["w:a"]);
    expect(gates.flow.nextDueAt()).toBe(gates.now + 5_000);
  });

  it("[T-10] when the leader is cancelled the next member leads, with the same deadline", () => {
    const gates = new Gates();
    gates.enter("d", batch(3, 5_000));
    gates.pass(1_000);
    gates.enter("e", batch(3, 5_000));
    gates.leave("d");
    gates.pass(3_999);
    expect(gates.news()).toEqual([]);
    gates.pass(1);
    expect(gates.news()).toEqual(["w:e"]);
  });

  it("[T-25.5] a crash before the flush loses no member", () => {
    const gates = new Gates();
    gates.enter("a", batch(3, 5_000));
    gates.enter("b", batch(3, 5_000));
    gates.rebuild();
    expect(gates.enter("c", batch(3, 5_000))).toMatchObject({ status: "skipped", leader: "a" });
    expect(gates.news()).toEqual(["w:a", "s:b:batch_merged"]);
  });
});

describe("debounce", () => {
  it("[T-10] only the newest arrival goes on, after its own quiet period; the older is skipped when it comes", () => {
    const gates = new Gates();
    gates.enter("a", debounce(30_000));
    gates.pass(20_000);
    expect(gates.said("b", debounce(30_000))).toBe("parked");
    expect(gates.news()).toEqual(["s:a:debounced"]);
    gates.pass(29_999);
    expect(gates.news()).toEqual([]);
    gates.pass(1);
    expect(gates.news()).toEqual(["w:b"]);
    expect(gates.kinds()).toEqual(["debounce_seen", "debounce_seen", "debounce_selected"]);
    expect(gates.audit.map(({ payload }) => payload["token"])).toEqual(["a", "b", "b"]);
  });

  it("[T-10] keys do not disturb each other", () => {
    const gates = new Gates();
    gates.enter("a", debounce(30_000, "t@v1:x"));
    gates.enter("b", debounce(30_000, "t@v1:y"));
    gates.pass(30_000);
    expect(gates.news()).toEqual(["w:a", "w:b"]);
  });

  it("[T-10] an arrival after the quiet period does not undo it, even when nothing was woken yet", () => {
    const gates = new Gates();
    gates.enter("a", debounce(30_000));
    gates.now += 30_000;
    gates.enter("b", debounce(30_000));
    expect(gates.news()).toEqual(["w:a"]);
  });

  it("[T-10] a cancelled candidate leaves nothing behind", () => {
    const gates = new Gates();
    gates.enter("a", debounce(30_000));
    gates.leave("a");
    expect([gates.flow.nextDueAt(), gates.tickets.size]).toEqual([null, 0]);
    gates.pass(30_000);
    expect(gates.news()).toEqual([]);
  });
});

describe("rate_limit", () => {
  it("[T-10] arrivals over the limit are skipped until the oldest hit is a period old", () => {
    const gates = new Gates();
    const limit = rateLimit(1, 60_000);
    expect([gates.said("a", limit), gates.said("b", limit)]).toEqual(["admitted", "rate_limited"]);
    expect(gates.said("c", rateLimit(1, 60_000, "t@v1:other"))).toBe("admitted");
    gates.pass(59_999);
    expect(gates.said("d", limit)).toBe("rate_limited");
    gates.pass(1);
    expect(gates.said("e", limit)).toBe("admitted");
    expect(gates.kinds()).toEqual([
      "rate_limit_allowed",
      "rate_limit_blocked",
      "rate_limit_allowed",
      "rate_limit_blocked",
      "rate_limit_allowed",
    ]);
    expect(gates.audit[1]?.payload).toEqual({ gate: "t@v1:_global", max: 1 });
  });

  it("[T-10] a dispatch that holds no permit needs no row", () => {
    const gates = new Gates();
    const { changes } = gates.flow.enter({ id: "a", requirements: [rateLimit(2, 60_000)] }, gates.now);
    expect([changes.tickets, changes.removed]).toEqual([[], []]);
    expect(changes.hits).toEqual([
      { primitive: "rate_limit", gate: "t@v1:_global", period_ms: 60_000, times: [1_000_000] },
    ]);
  });

  it("[T-10] the log survives a rebuild and keeps no time that has expired", () => {
    const gates = new Gates();
    for (const id of ["a", "b", "c"]) {
      gates.enter(id, rateLimit(2, 60_000));
      gates.pass(30_000);
      gates.rebuild();
    }
    expect([...gates.hits.values()][0]?.times).toEqual([1_030_000, 1_060_000]);
    expect(gates.said("d", rateLimit(2, 60_000))).toBe("admitted");
    expect(gates.said("e", rateLimit(2, 60_000))).toBe("rate_limited");
  });

  it("[T-10] the rows of gates that nobody comes to any more are deleted", () => {
    const gates = new Gates();
    for (let index = 0; index < 20; index++) gates.enter(`a${index}`, rateLimit(2, 60_000, `t@v1:${index}`));
    expect(gates.hits.size).toBe(20);
    expect(gates.flow.nextDueAt()).toBe(null);
    gates.rebuild();
    for (let index = 0; index < 4; index++) gates.pass(60_000);
    expect(gates.hits.size).toBe(0);
  });
});

describe("throttle", () => {
  it("[T-10] arrivals over the limit wait in their order until there is room", () => {
    const gates = new Gates();
    const limit = throttle(1, 30_000);
    expect(["a", "b", "c"].map((id) => gates.said(id, limit))).toEqual(["admitted", "parked", "parked"]);
    expect(gates.flow.nextDueAt()).toBe(1_030_000);
    gates.pass(29_999);
    expect(gates.news()).toEqual([]);
    gates.pass(1);
    expect(gates.news()).toEqual(["w:b"]);
    expect(gates.said("d", limit)).toBe("parked");
    gates.pass(30_000);
    gates.pass(30_000);
    expect(gates.news()).toEqual(["w:c", "w:d"]);
    expect(gates.audit[1]?.payload).toEqual({ gate: "t@v1:_global", delay_ms: 30_000 });
    expect(gates.audit.at(-1)?.payload).toEqual({ gate: "t@v1:_global", max: 1 });
    expect(gates.tickets.size).toBe(0);
  });

  it("[T-10] gates take turns: a busy one does not hold up another", () => {
    const gates = new Gates({ wake_limit: 4 });
    for (let index = 0; index < 20; index++) gates.enter(`a${index}`, throttle(10, 1_000, "t@v1:busy"));
    for (let index = 0; index < 11; index++) gates.enter(`b${index}`, throttle(10, 1_000, "t@v1:calm"));
    gates.now += 1_000;
    const first = gates.commit(gates.flow.wake(gates.now));
    expect(first.woken.map(({ id }) => id)).toEqual(["a10", "b10", "a11", "a12"]);
    expect(first.more).toBe(true);
    gates.pass(0);
    expect([gates.told.length, gates.flow.nextDueAt()]).toEqual([11, null]);
  });

  it("[T-10] a gate that has let somebody through comes after the others that have room", () => {
    const gates = new Gates({ wake_limit: 1 });
    for (const gate of ["t@v1:x", "t@v1:y"]) {
      for (let index = 0; index < 6; index++) gates.enter(`${gate}${index}`, throttle(3, 1_000, gate));
    }
    gates.now += 1_500;
    const turns = [0, 1].map(() => gates.commit(gates.flow.wake(gates.now)).woken.map(({ id }) => id));
    expect(turns).toEqual([["t@v1:x3"], ["t@v1:y3"]]);
  });

  it("[T-10] what one call does not get to is left for the next", () => {
    const gates = new Gates({ wake_limit: 2 });
    for (const id of ["a", "b", "c"]) gates.enter(id, batch(5, 1_000));
    gates.enter("d", debounce(1_000));
    gates.now += 1_000;
    const first = gates.commit(gates.flow.wake(gates.now));
    expect([first.woken.map(({ id }) => id), first.more]).toEqual([["a"], true]);
    expect(gates.flow.nextDueAt()).toBe(gates.now);
    expect(gates.commit(gates.flow.wake(gates.now)).woken.map(({ id }) => id)).toEqual(["d"]);
  });

  it("[T-10] nobody overtakes those who wait, even when there is room already", () => {
    const gates = new Gates();
    for (const id of ["a", "b"]) gates.enter(id, throttle(1, 1_000));
    gates.now += 1_000;
    expect(gates.said("c", throttle(1, 1_000))).toBe("parked");
    gates.pass(0);
    expect(gates.news()).toEqual(["w:b"]);
  });

  it("[T-26.2] hits that have expired leave no trace in memory that a rebuild would not have", () => {
    const gates = new Gates();
    for (const id of ["a", "b"]) gates.enter(id, throttle(1, 1_000));
    gates.now += 2_500;
    gates.enter("c", debounce(1_000));
    expect(gates.hits.size).toBe(0);
    const due = gates.flow.nextDueAt();
    gates.rebuild();
    expect(gates.flow.nextDueAt()).toBe(due);
    gates.pass(0);
    expect(gates.news()).toEqual(["w:b"]);
  });

  it("[T-10] a clock that goes back frees nothing early", () => {
    const gates = new Gates();
    gates.enter("a", throttle(1, 1_000));
    gates.now -= 5_000;
    gates.enter("b", throttle(1, 1_000));
    gates.pass(5_999);
    expect(gates.news()).toEqual([]);
    gates.pass(1);
    expect(gates.news()).toEqual(["w:b"]);
  });
});
