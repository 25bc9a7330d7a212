import { describe, expect, it } from "vitest";
import { fold } from "../../../src/engine/machine.ts";
import {
  beginInFlight,
  type BindingLoad,
  busyVersions,
  finishInFlight,
  idleVersions,
  listedVersions,
  loadOf,
  pinVersion,
  tendedLoad,
  unpinVersion,
} from "../../../src/engine/trigger/binding-load.ts";
import { bindingMachine, type BindingCommand, type BindingState } from "../../../src/engine/trigger/binding.ts";
import type { Result } from "../../../src/lib/result.ts";
import { contextAt, NOON, stored } from "./fixture.ts";

const KEY = { trigger_id: "hub", version: 1 } as const;

const tell = (state: BindingState, command: BindingCommand): BindingState => {
  const decision = bindingMachine.decide(state, command, contextAt());
  return decision.ok ? fold(bindingMachine, state, decision.events) : state;
};

const put = (workflow: string, busy: readonly number[] = []): BindingCommand => ({
  type: "configure",
  trigger_id: "hub",
  definition: stored({ handler: { workflow } }),
  busy,
});

const first = tell(bindingMachine.initial, put("a"));

const must = <Value>(result: Result<Value, { readonly detail: string }>): Value => {
  if (!result.ok) throw new Error(result.error.detail);
  return result.value;
};

const detailOf = (result: Result<unknown, { readonly detail: string }>): string | null =>
  result.ok ? null : result.error.detail;

const begin = (state: BindingState, load: BindingLoad, now = NOON): BindingLoad =>
  must(beginInFlight(state, load, { ...KEY, now }));

describe("in flight", () => {
  it("[T-6.4] events are counted in and out by their outcome", () => {
    let load = loadOf(first, []);
    expect(listedVersions(first, load)).toMatchObject([
      { id: "hub", version: 1, state: "active", metrics: { received: 0, in_flight: 0, last_received_ms: null } },
    ]);
    for (const outcome of ["dispatched", "failed", "dlq"] as const) {
      load = begin(first, load, NOON + 5);
      expect(busyVersions(load)).toEqual([1]);
      load = must(finishInFlight(load, { ...KEY, outcome }));
    }
    expect(load.get(1)).toEqual({
      received: 3,
      dispatched: 1,
      failed: 1,
      dlq: 1,
      in_flight: 0,
      last_received_ms: NOON + 5,
    });
    expect(busyVersions(load)).toEqual([]);
  });

  it("[T-6.4] a pin keeps a version without counting an event", () => {
    const pinned = must(pinVersion(first, loadOf(first, []), { ...KEY, now: NOON }));
    expect(pinned.get(1)).toMatchObject({ in_flight: 1, received: 0, last_received_ms: null });
    expect(must(unpinVersion(pinned, KEY)).get(1)).toMatchObject({ in_flight: 0, dispatched: 0 });
  });

  it("[T-6.4] more out than in, and versions that there are not, are refused", () => {
    const load = loadOf(first, []);
    expect(detailOf(finishInFlight(load, { ...KEY, outcome: "dlq" }))).toBe(
      "trigger binding 'hub' version 1 has no in-flight events",
    );
    expect(detailOf(finishInFlight(load, { ...KEY, version: 2, outcome: "dlq" }))).toBe(
      "unknown trigger binding 'hub' version 2",
    );
    expect(detailOf(beginInFlight(first, load, { ...KEY, version: 2, now: NOON }))).toBe(
      "unknown trigger binding 'hub' version 2",
    );
  });

  it("[T-6.4] nothing begins under a version that has ended, but for a replay", () => {
    const ended = tell(first, put("b"));
    const load = tendedLoad(ended, loadOf(first, []));
    expect(detailOf(beginInFlight(ended, load, { ...KEY, now: NOON }))).toBe(
      "trigger binding 'hub' version 1 is terminated",
    );
    const replayed = must(beginInFlight(ended, load, { ...KEY, now: NOON, is_replay: true }));
    expect(replayed.get(1)).toMatchObject({ in_flight: 1, received: 1 });
    // Where it was collected meanwhile, only a replay knows it.
    const woken = loadOf(ended, []);
    expect(detailOf(beginInFlight(ended, woken, { ...KEY, now: NOON }))).toBe(
      "unknown trigger binding 'hub' version 1",
    );
    expect(must(beginInFlight(ended, woken, { ...KEY, now: NOON, is_replay: true })).get(1)?.in_flight).toBe(1);
  });
});

describe("collection", () => {
  it("[T-6.1] of the versions that have ended the two newest are listed, and the live ones always", () => {
    let state = first;
    let load = begin(state, loadOf(state, []));
    for (const workflow of ["b", "c", "d", "e"]) {
      state = tell(state, put(workflow, busyVersions(load)));
      load = tendedLoad(state, load);
    }
    expect(listedVersions(state, load).map((one) => [one.version, one.state])).toEqual([
      [1, "draining"],
      [4, "terminated"],
      [5, "active"],
    ]);
    expect(idleVersions(state, load)).toEqual([]);
    load = must(finishInFlight(load, { ...KEY, outcome: "failed" }));
    expect(idleVersions(state, load)).toEqual([1]);
    state = tell(state, { type: "drained", version: 1 });
    expect([...tendedLoad(state, load).keys()]).toEqual([4, 5]);
  });

  it("[T-6.4] an object that wakes counts its open events, and ends what drains without any", () => {
    const state = tell(first, put("b", [1]));
    expect(idleVersions(state, loadOf(state, [1, 1, 2]))).toEqual([]);
    expect(loadOf(state, [1, 1, 2]).get(1)).toMatchObject({ in_flight: 2, received: 0 });
    expect(idleVersions(state, loadOf(state, [2]))).toEqual([1]);
    expect(listedVersions(bindingMachine.initial, new Map())).toEqual([]);
    expect(idleVersions(bindingMachine.initial, new Map())).toEqual([]);
  });
});
