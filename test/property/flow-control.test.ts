import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FlowRequirement } from "../../src/engine/trigger/flow/ticket.ts";
import { concurrency, Gates } from "../unit/trigger/flow/fixture.ts";

const SIZE = 3;
const PERIOD = 1_000;
const SLOTS = 2;
const LEASE = 5_000;

const PROFILES = [
  ["batch"],
  ["debounce"],
  ["rate_limit"],
  ["throttle"],
  ["singleton"],
  ["concurrency"],
  ["debounce", "throttle", "singleton", "concurrency"],
  ["rate_limit", "throttle", "concurrency"],
  ["singleton", "concurrency"],
] as const;

type Profile = (typeof PROFILES)[number];

const requirementOf = (primitive: Profile[number], gate: string, rank: number): FlowRequirement => {
  switch (primitive) {
    case "batch":
      return { primitive, gate, size: SIZE, timeout_ms: PERIOD };
    case "debounce":
      return { primitive, gate, period_ms: PERIOD };
    case "rate_limit":
    case "throttle":
      return { primitive, gate, max: 2, period_ms: PERIOD };
    case "singleton":
      return { primitive, gate };
    case "concurrency":
      return { primitive, gate, max: SLOTS, rank, fair_key: String(rank % 2) };
  }
};

type Move =
  | { readonly do: "enter"; readonly profile: Profile; readonly key: string; readonly rank: number }
  | { readonly do: "leave" | "suspend" | "resume" | "renew" | "again"; readonly which: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "late"; readonly ms: number };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("enter" as const),
      profile: fc.constantFrom(...PROFILES),
      key: fc.constantFrom("x", "y"),
      rank: fc.nat(3),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("leave" as const, "leave", "suspend", "resume", "renew", "again"),
      which: fc.nat(30),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 400, 999, 1_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("late" as const), ms: fc.constantFrom(300, 1_500, 6_000) }) },
);

interface Arrival {
  readonly id: string;
  readonly requirements: readonly FlowRequirement[];
}

/** Plays moves on gates and keeps by itself what has to hold, looking at the answers and the rows alone. */
class World {
  readonly gates = new Gates({ lease_ms: LEASE, wake_limit: 2 });
  readonly arrivals: Arrival[] = [];
  readonly running = new Set<string>();
  readonly ended = new Set<string>();
  readonly #accepted = new Map<string, number[]>();
  #heard = 0;
  readonly #rebuilds: boolean;

  constructor(rebuilds: boolean) {
    this.#rebuilds = rebuilds;
  }

  play(step: Move): void {
    const { gates } = this;
    if (this.#rebuilds) gates.rebuild();
    if (step.do === "enter") this.#enter(step);
    else if (step.do === "pass") gates.pass(step.ms);
    else if (step.do === "late") gates.now += step.ms;
    else this.#touch(step.do, this.arrivals[step.which % Math.max(1, this.arrivals.length)]);
    this.#listen();
    this.#check();
  }

  #enter({ profile, key, rank }: Extract<Move, { do: "enter" }>): void {
    const gate = `t@v1:${key}`;
    const arrival = {
      id: `d${this.arrivals.length}`,
      requirements: profile.map((primitive) => requirementOf(primitive, gate, rank)),
    };
    this.arrivals.push(arrival);
    const before = this.gates.audit.length;
    const verdict = this.gates.enter(arrival.id, ...arrival.requirements);
    if (verdict.status === "admitted") this.#admit(arrival.id);
    if (verdict.status === "skipped") this.#end(arrival.id);
    if (profile[0] === "rate_limit") {
      const counted = (this.#accepted.get(`trigger.rate_limit.t_v1_${key}`) ?? []).filter(
        (at) => this.gates.now - at < PERIOD,
      );
      const kind = this.gates.audit[before]?.kind;
      expect(kind).toBe(counted.length < 2 ? "rate_limit_allowed" : "rate_limit_blocked");
    }
  }

  #touch(how: "leave" | "suspend" | "resume" | "renew" | "again", arrival: Arrival | undefined): void {
    const { gates } = this;
    if (arrival === undefined) return;
    const { id } = arrival;
    if (how === "leave") {
      gates.leave(id);
      this.running.delete(id);
      this.ended.add(id);
    } else if (how === "suspend") {
      if (gates.commit(gates.flow.suspend(id, gates.now)).tickets.length > 0) this.running.delete(id);
    } else if (how === "resume") {
      const wasSuspended = gates.flow.verdictOf(id).status === "suspended";
      const { verdict, changes } = gates.flow.resume(id, gates.now);
      gates.commit(changes);
      expect(verdict.status).not.toBe("skipped");
      if (wasSuspended && verdict.status === "admitted") this.#admit(id);
    } else if (how === "renew") {
      gates.commit(gates.flow.renew(id, gates.now + LEASE));
    } else if (gates.tickets.has(id)) {
      const rows = [...gates.tickets.values()];
      gates.enter(id, ...arrival.requirements);
      expect([...gates.tickets.values()]).toEqual(rows);
    }
  }

  #admit(id: string): void {
    expect(this.ended.has(id) || this.running.has(id)).toBe(false);
    this.running.add(id);
  }

  #end(id: string): void {
    expect(this.ended.has(id) || this.running.has(id)).toBe(false);
    this.ended.add(id);
  }

  #listen(): void {
    const { gates } = this;
    for (const text of gates.told.splice(0)) {
      const [how, id = "", reason] = text.split(":");
      // The permits of one who has expired in this step were free before another was woken.
      if (how === "e") this.running.delete(id);
      else if (how === "w") this.#admit(id);
      else this.#end(id);
      if (reason === "debounced") this.#checkDebounced(id);
    }
    for (const { topic, kind } of gates.audit.slice(this.#heard)) {
      if (kind !== "rate_limit_allowed" && kind !== "throttle_acquired") continue;
      this.#accepted.set(topic, [...(this.#accepted.get(topic) ?? []), gates.now]);
    }
    this.#heard = gates.audit.length;
  }

  #gateOf(id: string, primitive: string): string | undefined {
    const arrival = this.arrivals.find((one) => one.id === id);
    return arrival?.requirements.find((one) => one.primitive === primitive)?.gate;
  }

  /** Only for a newer arrival at the same gate is an older one skipped. */
  #checkDebounced(id: string): void {
    const gate = this.#gateOf(id, "debounce");
    const place = this.arrivals.findIndex((one) => one.id === id);
    const newer = this.arrivals.slice(place + 1).filter((one) => this.#gateOf(one.id, "debounce") === gate);
    expect(newer.length).toBeGreaterThan(0);
  }

  #check(): void {
    const rows = [...this.gates.tickets.values()];
    const held = new Map<string, number>();
    const waiting = new Map<string, number>();
    for (const { state, stage, requirements } of rows) {
      const passed = state === "suspended" ? [] : requirements.slice(0, stage);
      for (const { primitive, gate } of passed) {
        held.set(`${primitive} ${gate}`, (held.get(`${primitive} ${gate}`) ?? 0) + 1);
      }
      const at = requirements[stage];
      if (state === "parked")
        waiting.set(`${at?.primitive} ${at?.gate}`, (waiting.get(`${at?.primitive} ${at?.gate}`) ?? 0) + 1);
    }
    for (const key of ["t@v1:x", "t@v1:y"]) {
      expect(held.get(`singleton ${key}`) ?? 0).toBeLessThanOrEqual(1);
      expect(held.get(`concurrency ${key}`) ?? 0).toBeLessThanOrEqual(SLOTS);
      expect(waiting.get(`debounce ${key}`) ?? 0).toBeLessThanOrEqual(1);
      expect(waiting.get(`batch ${key}`) ?? 0).toBeLessThan(SIZE);
      // A free slot and somebody who waits for it never meet.
      if ((waiting.get(`concurrency ${key}`) ?? 0) > 0) expect(held.get(`concurrency ${key}`)).toBe(SLOTS);
      if ((waiting.get(`singleton ${key}`) ?? 0) > 0) expect(held.get(`singleton ${key}`)).toBe(1);
    }
    for (const times of this.#accepted.values()) {
      times.forEach((at, index) => expect(at - (times[index - 2] ?? -Infinity)).toBeGreaterThanOrEqual(PERIOD));
    }
    // Nobody is lost: who is neither over nor at work without permits has a row, and no one else has.
    for (const { id } of this.arrivals) {
      if (!this.ended.has(id) && !this.running.has(id)) expect(this.gates.tickets.has(id)).toBe(true);
      if (this.ended.has(id)) expect(this.gates.tickets.has(id)).toBe(false);
    }
  }

  /** Everybody who works comes to an end, and time passes. */
  finish(): void {
    for (let round = 0; round < 3 * this.arrivals.length + 3; round++) {
      this.play({ do: "pass", ms: PERIOD });
      this.arrivals.forEach(({ id }, which) => {
        if (this.gates.flow.verdictOf(id).status === "suspended") this.play({ do: "resume", which });
        if (this.running.has(id)) this.play({ do: "leave", which });
      });
    }
  }
}

const moves = fc.array(move, { minLength: 1, maxLength: 80, size: "max" });

describe("flow control", () => {
  it("[T-10] no gate lets through too many, nobody is lost or ends twice, and everybody gets their turn", () => {
    fc.assert(
      fc.property(moves, (steps) => {
        const world = new World(false);
        for (const step of steps) world.play(step);
        world.finish();
        expect(world.gates.tickets.size).toBe(0);
        expect(world.ended.size).toBe(world.arrivals.length);
        expect(world.gates.flow.nextDueAt()).toBe(null);
      }),
      { numRuns: 100 },
    );
  });

  it("[T-26.2] rebuilt from its rows before every step it does exactly the same", () => {
    fc.assert(
      fc.property(moves, (steps) => {
        const [kept, rebuilt] = [new World(false), new World(true)];
        for (const step of steps) {
          kept.play(step);
          rebuilt.play(step);
          expect(rebuilt.gates.audit).toEqual(kept.gates.audit);
          expect(rebuilt.gates.flow.nextDueAt()).toBe(kept.gates.flow.nextDueAt());
        }
        const shape = ({ gates }: World) => [...gates.tickets.values()].map(({ seq: _seq, ...row }) => row);
        expect(new Set(shape(rebuilt))).toEqual(new Set(shape(kept)));
        expect(rebuilt.gates.hits).toEqual(kept.gates.hits);
        expect(rebuilt.ended).toEqual(kept.ended);
      }),
      { numRuns: 100 },
    );
  });

  it("[T-10] debounce lets exactly the newest of each quiet period through", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2_500), { minLength: 1, maxLength: 30, size: "max" }), (gaps) => {
        const gates = new Gates();
        gaps.forEach((gap, index) => {
          gates.enter(String(index), { primitive: "debounce", gate: "g", period_ms: PERIOD });
          gates.pass(gap);
        });
        gates.pass(PERIOD);
        const last = gaps.flatMap((gap, index) => (gap >= PERIOD || index === gaps.length - 1 ? [`w:${index}`] : []));
        expect(gates.told.filter((text) => text.startsWith("w:"))).toEqual(last);
        expect(gates.told.length).toBe(gaps.length);
      }),
    );
  });

  it("[T-10] batches have the members that came until they were full or their deadline, in order", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(700), { minLength: 1, maxLength: 30, size: "max" }), (gaps) => {
        const gates = new Gates();
        const groups: (readonly string[])[] = [];
        const expected: string[][] = [];
        let deadline = -Infinity;
        for (const [index, gap] of gaps.entries()) {
          const id = String(index);
          const open = expected.at(-1);
          if (open === undefined || open.length === SIZE || deadline <= gates.now) {
            expected.push([id]);
            deadline = gates.now + PERIOD;
          } else open.push(id);
          const requirements = [{ primitive: "batch" as const, gate: "g", size: SIZE, timeout_ms: PERIOD }];
          const { changes } = gates.flow.enter({ id, requirements }, gates.now);
          gates.now += gap;
          const woken = gates.flow.wake(gates.now);
          groups.push(...[changes, woken].flatMap((one) => one.woken.map(({ members }) => members)));
        }
        groups.push(...gates.flow.wake(gates.now + PERIOD).woken.map(({ members }) => members));
        expect(groups).toEqual(expected);
      }),
    );
  });

  it("[T-10] the line for slots is that of a plain list sorted anew each time", () => {
    const waiter = fc.record({ rank: fc.nat(2), fair: fc.constantFrom("a", "b", "c"), leave: fc.nat(6) });
    fc.assert(
      fc.property(
        fc.array(waiter, { minLength: 1, maxLength: 40, size: "max" }),
        fc.integer({ min: 1, max: 3 }),
        (waiters, max) => {
          const gates = new Gates();
          const working: { id: string; fair: string }[] = [];
          const line: { id: string; fair: string; rank: number }[] = [];
          const woken: string[] = [];
          const held = (fair: string): number => working.filter((one) => one.fair === fair).length;
          const next = (): void => {
            const order = line.toSorted(
              (a, b) => a.rank - b.rank || held(a.fair) - held(b.fair) || line.indexOf(a) - line.indexOf(b),
            );
            const [first] = order;
            if (first === undefined) return;
            line.splice(line.indexOf(first), 1);
            working.push(first);
            woken.push(`w:${first.id}`);
          };
          waiters.forEach(({ rank, fair, leave }, index) => {
            const id = String(index);
            gates.enter(id, concurrency(max, rank, fair));
            if (working.length < max) working.push({ id, fair });
            else line.push({ id, fair, rank });
            const gone = leave < working.length ? working[leave] : undefined;
            if (gone === undefined) return;
            gates.leave(gone.id);
            working.splice(leave, 1);
            next();
          });
          expect(gates.told).toEqual(woken);
        },
      ),
    );
  });
});
