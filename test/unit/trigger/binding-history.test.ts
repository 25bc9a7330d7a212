import { describe, expect, it } from "vitest";
import { fold } from "../../../src/engine/machine.ts";
import {
  lifecycleLog,
  matchingBindings,
  resolveAsOf,
  resolveLive,
  resolveLiveOrAsOf,
  versionAsOf,
} from "../../../src/engine/trigger/binding-history.ts";
import { bindingMachine, type BindingCommand, type BindingState } from "../../../src/engine/trigger/binding.ts";
import { contextAt, NOON, stored } from "./fixture.ts";

const HOUR = 3_600_000;

const tell = (state: BindingState, command: BindingCommand, now = NOON): BindingState => {
  const decision = bindingMachine.decide(state, command, contextAt(now));
  if (!decision.ok) throw new Error(decision.rejection.detail);
  return fold(bindingMachine, state, decision.events);
};

const put = (workflow: string, busy: readonly number[] = []): BindingCommand => ({
  type: "configure",
  trigger_id: "hub",
  definition: stored({ handler: { workflow } }),
  busy,
});

/** Three versions an hour apart, of which the first still drains, and the end of all after another hour. */
const past = (): BindingState => {
  const first = tell(bindingMachine.initial, put("a"));
  const second = tell(first, put("b", [1]), NOON + HOUR);
  const third = tell(second, put("c", [1]), NOON + 2 * HOUR);
  return tell(third, { type: "delete", busy: [1] }, NOON + 3 * HOUR);
};

const detailOf = (result: { readonly ok: boolean; readonly error?: { readonly detail: string } }): string =>
  result.error?.detail ?? "";

describe("history", () => {
  it("[T-6.1] each step says what it was about", () => {
    expect(lifecycleLog(bindingMachine.initial)).toEqual([]);
    const [registered, active, ...others] = lifecycleLog(past());
    expect(registered).toEqual({
      id: "hub",
      binding_key: "hub@v1",
      version: 1,
      provider: "github",
      kind: "webhook",
      source: "dynamic",
      handler_kind: "workflow",
      definition_fingerprint: expect.stringMatching(/^sha256:/) as unknown,
      from_state: null,
      to_state: "registering",
      at: "2026-04-19T12:00:00.000Z",
    });
    expect(active).toMatchObject({ version: 1, from_state: "registering", to_state: "active" });
    expect(others.map((step) => `${step.version} ${step.to_state} ${step.at.slice(11, 13)}`)).toEqual([
      "1 draining 13",
      "2 registering 13",
      "2 active 13",
      "2 draining 14",
      "2 terminated 14",
      "3 registering 14",
      "3 active 14",
      "3 draining 15",
      "3 terminated 15",
    ]);
  });

  it("[T-6.3] the version of a past moment is the one that was active then", () => {
    const state = past();
    const at = (moment: number) => versionAsOf(state, "hub", moment);
    expect(at(NOON)).toEqual({ ok: true, value: 1 });
    expect(at(NOON + HOUR - 1)).toEqual({ ok: true, value: 1 });
    expect(at(NOON + HOUR)).toEqual({ ok: true, value: 2 });
    expect(detailOf(at(NOON - 500))).toBe("no active trigger binding 'hub' at 2026-04-19T11:59:59.5Z");
    expect(detailOf(at(NOON + 3 * HOUR))).toBe("no active trigger binding 'hub' at 2026-04-19T15:00:00Z");
    expect(detailOf(versionAsOf(bindingMachine.initial, "ghost", NOON))).toBe(
      "no active trigger binding 'ghost' at 2026-04-19T12:00:00Z",
    );
  });
});

describe("resolution", () => {
  it("[T-6.3] draining counts as live, and the newest live version is taken unless one is named", () => {
    const state = past();
    expect(resolveLive(state, "hub")).toMatchObject({ ok: true, value: { version: 1, state: "draining" } });
    expect(resolveLive(state, "hub", 1)).toMatchObject({ ok: true });
    expect(detailOf(resolveLive(state, "hub", 2))).toBe("unknown trigger binding 'hub' version 2");
    expect(detailOf(resolveLive(tell(state, { type: "drained", version: 1 }), "hub"))).toBe("unknown trigger id 'hub'");
  });

  it("[T-25] as of a past moment every version can be had, however many came after it", () => {
    const found = resolveAsOf(past(), "hub", NOON + HOUR);
    expect(found).toMatchObject({ ok: true, value: { version: 2, definition: { handler: { workflow: "b" } } } });
    expect(resolveAsOf(past(), "hub", NOON - 1).ok).toBe(false);
  });

  it("[T-6.3] a recorded version that has ended gives way to the one of its time, and that is said", () => {
    const state = past();
    const resolve = (version: number | null, received_at: number) =>
      resolveLiveOrAsOf(state, "hub", { version, received_at });
    expect(resolve(1, NOON)).toMatchObject({ ok: true, value: { binding: { version: 1 }, fallback: null } });
    expect(resolve(null, NOON)).toMatchObject({ ok: true, value: { binding: { version: 1 }, fallback: null } });
    const ended = resolve(3, NOON + HOUR);
    expect(ended.ok && ended.value.binding.version).toBe(2);
    expect(ended.ok && ended.value.fallback).toEqual({
      category: "replay.binding_version_gc_fallback",
      trigger_id: "hub",
      recorded_version: 3,
      received_at: "2026-04-19T13:00:00Z",
      resolved_version: 2,
    });
    expect(detailOf(resolve(9, NOON - 1000))).toBe("no active trigger binding 'hub' at 2026-04-19T11:59:59Z");
    const ghost = resolveLiveOrAsOf(bindingMachine.initial, "ghost", { version: null, received_at: NOON });
    expect(detailOf(ghost)).toBe("unknown trigger id 'ghost'");
  });

  it("[T-6.3] an event goes to the active triggers of its provider that match, by id", () => {
    const trigger = (trigger_id: string, change: Readonly<Record<string, unknown>> = {}): BindingState =>
      tell(bindingMachine.initial, { type: "configure", trigger_id, definition: stored(change) });
    const states = [
      trigger("b", { match: {} }),
      trigger("a"),
      trigger("B"),
      trigger("other", { match: { events: ["push"] } }),
      trigger("generic", { provider: "webhook", secret_ref: "webhook/x", secret: undefined }),
      tell(trigger("paused"), { type: "pause" }),
      tell(trigger("gone"), { type: "delete" }),
      bindingMachine.initial,
    ];
    const event = { provider: "github", kind: "issues.opened", provider_payload: {} };
    expect(matchingBindings(states, event)).toEqual(["B", "a", "b"].map((id) => ({ id, version: 1 })));
  });
});
