import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold } from "../../src/engine/machine.ts";
import { lifecycleLog, resolveAsOf, resolveLive, versionAsOf } from "../../src/engine/trigger/binding-history.ts";
import {
  beginInFlight,
  type BindingLoad,
  busyVersions,
  finishInFlight,
  idleVersions,
  listedVersions,
  loadOf,
  tendedLoad,
} from "../../src/engine/trigger/binding-load.ts";
import {
  bindingMachine,
  type BindingCommand,
  type BindingEvent,
  type BindingState,
  definitionOf,
  fingerprintOf,
} from "../../src/engine/trigger/binding.ts";
import type { StoredDefinition } from "../../src/schema/trigger-definition.ts";
import { contextAt, NOON, stored } from "../unit/trigger/fixture.ts";

const definitions = [{}, { match: {} }, { handler: { workflow: "other" } }, { match: { events: ["push"] } }].map(
  (change) => stored(change),
);

type Move =
  | { readonly move: "tell"; readonly command: BindingCommand }
  | { readonly move: "begin" | "finish"; readonly version: number }
  | { readonly move: "wake" };

const version = fc.integer({ min: 1, max: 5 });

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({
        type: fc.constant("configure" as const),
        trigger_id: fc.constant("hub"),
        definition: fc.constantFrom(...definitions),
        state: fc.constantFrom(undefined, "active" as const, "paused" as const),
      })
      .map((command) => ({ move: "tell" as const, command })),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom("pause" as const, "resume" as const, "delete" as const)
      .map((type) => ({ move: "tell" as const, command: { type } })),
  },
  { weight: 3, arbitrary: version.map((number) => ({ move: "begin" as const, version: number })) },
  { weight: 3, arbitrary: version.map((number) => ({ move: "finish" as const, version: number })) },
  { weight: 1, arbitrary: fc.constant({ move: "wake" as const }) },
);

const moves = fc.array(fc.tuple(move, fc.constantFrom(0, 1, 60_000)), { maxLength: 40 });

interface Point {
  readonly now: number;
  readonly state: BindingState;
  readonly load: BindingLoad;
}

interface Walk {
  readonly points: readonly Point[];
  readonly events: readonly BindingEvent[];
}

/** A trigger as whoever holds it would run it. */
class Host {
  readonly points: Point[] = [];
  readonly events: BindingEvent[] = [];
  #now = NOON;
  #state: BindingState = bindingMachine.initial;
  #load: BindingLoad = new Map();

  step(one: Move, wait: number): void {
    this.#now += wait;
    const key = { trigger_id: "hub" };
    if (one.move === "tell") this.#tell(one.command);
    else if (one.move === "wake") this.#load = loadOf(this.#state, openVersions(this.#load));
    else if (one.move === "begin") {
      const begun = beginInFlight(this.#state, this.#load, { ...key, version: one.version, now: this.#now });
      if (begun.ok) this.#load = begun.value;
    } else {
      const finished = finishInFlight(this.#load, { ...key, version: one.version, outcome: "dispatched" });
      if (finished.ok) this.#load = finished.value;
    }
    for (const idle of idleVersions(this.#state, this.#load)) this.#tell({ type: "drained", version: idle });
    this.points.push({ now: this.#now, state: this.#state, load: this.#load });
  }

  #tell(command: BindingCommand): void {
    const isAware = command.type === "configure" || command.type === "delete";
    const told = isAware ? { ...command, busy: busyVersions(this.#load) } : command;
    const decision = bindingMachine.decide(this.#state, told, contextAt(this.#now));
    if (!decision.ok) return;
    this.events.push(...decision.events);
    this.#state = fold(bindingMachine, this.#state, decision.events);
    this.#load = tendedLoad(this.#state, this.#load);
    // Told again, the same command changes nothing more.
    const again = bindingMachine.decide(this.#state, told, contextAt(this.#now));
    expect(again.ok ? again.events : []).toEqual([]);
  }
}

const openVersions = (load: BindingLoad): number[] =>
  [...load].flatMap(([number, { in_flight }]) => Array.from({ length: in_flight }, () => number));

const walk = (steps: readonly (readonly [Move, number])[]): Walk => {
  const host = new Host();
  for (const [one, wait] of steps) host.step(one, wait);
  return host;
};

const versionsOf = (state: BindingState) => (state.status === "absent" ? [] : state.versions);

describe("binding", () => {
  it("[T-6.2] a version stands for one definition for ever, and versions have no gaps", () => {
    fc.assert(
      fc.property(moves, (steps) => {
        const meanings = new Map<number, StoredDefinition>();
        for (const { state } of walk(steps).points) {
          const versions = versionsOf(state);
          expect(versions.map((one) => one.version)).toEqual(versions.map((_, index) => index + 1));
          expect(new Set(versions.map((one) => one.fingerprint)).size).toBe(versions.length);
          for (const one of versions) {
            expect(fingerprintOf(one.definition)).toBe(one.fingerprint);
            expect(definitionOf(state, one.version)).toEqual(meanings.get(one.version) ?? one.definition);
            meanings.set(one.version, one.definition);
          }
          if (state.status !== "absent") expect(versions).toContain(state.current);
        }
      }),
    );
  });

  it("[T-6.1] at most one version is active, a version ends with nothing in flight, and none drains idly", () => {
    fc.assert(
      fc.property(moves, (steps) => {
        for (const { state, load } of walk(steps).points) {
          const active = versionsOf(state).filter((one) => one.state === "active");
          const exists = state.status === "active" || state.status === "paused";
          expect(active.length).toBe(exists ? 1 : 0);
          for (const one of versionsOf(state)) {
            const inFlight = load.get(one.version)?.in_flight ?? 0;
            expect(one.state).not.toBe("registering");
            if (one.state === "terminated") expect(inFlight).toBe(0);
            if (one.state === "draining") expect(inFlight).toBeGreaterThan(0);
          }
          const listed = listedVersions(state, load);
          expect(listed.filter((one) => one.state === "terminated").length).toBeLessThanOrEqual(2);
        }
      }),
    );
  });

  it("[T-6.3] what the history says of a past moment is what was there then", () => {
    fc.assert(
      fc.property(moves, (steps) => {
        const { points } = walk(steps);
        const last = points.at(-1);
        if (last === undefined) return;
        for (const [index, point] of points.entries()) {
          // Of several changes in one millisecond the last one counts.
          if (points[index + 1]?.now === point.now) continue;
          const then = versionsOf(point.state).find((one) => one.state === "active");
          const found = versionAsOf(last.state, "hub", point.now);
          expect(found.ok ? found.value : null).toBe(then?.version ?? null);
          const resolved = resolveAsOf(last.state, "hub", point.now);
          expect(resolved.ok ? resolved.value.definition : null).toEqual(then?.definition ?? null);
          const live = versionsOf(point.state).findLast((one) => one.state !== "terminated");
          const newest = resolveLive(point.state, "hub");
          expect(newest.ok ? newest.value : undefined).toEqual(live);
        }
      }),
    );
  });

  it("[T-6.1] every step of every version's life follows the one before", () => {
    const after: Readonly<Record<string, readonly string[]>> = {
      registering: ["active"],
      active: ["draining"],
      draining: ["terminated", "registering"],
      terminated: ["registering"],
    };
    fc.assert(
      fc.property(moves, (steps) => {
        const { points, events } = walk(steps);
        const state = points.at(-1)?.state ?? bindingMachine.initial;
        expect(fold(bindingMachine, bindingMachine.initial, events)).toEqual(state);
        const at = new Map<number, string>();
        for (const step of lifecycleLog(state)) {
          const before = at.get(step.version);
          if (before === undefined) expect(step.to_state).toBe("registering");
          else expect(after[before]).toContain(step.to_state);
          expect(step.from_state).toBe(step.to_state === "registering" ? null : before);
          at.set(step.version, step.to_state);
        }
        expect([...at.keys()].toSorted()).toEqual(versionsOf(state).map((one) => one.version));
        for (const one of versionsOf(state)) expect(at.get(one.version)).toBe(one.state);
      }),
    );
  });
});
