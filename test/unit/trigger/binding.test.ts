import { describe, expect, it } from "vitest";
import { fold } from "../../../src/engine/machine.ts";
import {
  acceptingBinding,
  bindingMachine,
  definitionOf,
  fingerprintOf,
  storedDefinition,
  triggerView,
  type BindingCommand,
  type BindingReply,
  type BindingState,
  type ConfigureBinding,
} from "../../../src/engine/trigger/binding.ts";
import { triggerViewSchema } from "../../../src/schema/trigger.ts";
import { contextAt, definition, NOON, stored } from "./fixture.ts";

interface Told {
  readonly state: BindingState;
  readonly reply: BindingReply | string;
  readonly events: readonly string[];
}

const tell = (state: BindingState, command: BindingCommand, now = NOON): Told => {
  const decision = bindingMachine.decide(state, command, contextAt(now));
  if (!decision.ok) return { state, reply: `${decision.rejection.code}: ${decision.rejection.detail}`, events: [] };
  const { events, reply } = decision;
  return { state: fold(bindingMachine, state, events), reply, events: events.map((event) => event.type) };
};

const run = (commands: readonly BindingCommand[], from: BindingState = bindingMachine.initial): BindingState =>
  commands.reduce((state, command) => tell(state, command).state, from);

const put = (
  change: Readonly<Record<string, unknown>> = {},
  more: Partial<ConfigureBinding> = {},
): ConfigureBinding => ({ type: "configure", trigger_id: "hub", definition: stored(change), ...more });

const states = (state: BindingState): readonly string[] =>
  state.status === "absent" ? [] : state.versions.map((one) => `${one.version} ${one.state}`);

const otherMatch = { match: { events: ["push"] } };

describe("versions", () => {
  it("[T-6.2] a trigger starts at version 1, and the same definition changes nothing", () => {
    const first = tell(bindingMachine.initial, put());
    expect(first.reply).toEqual({ trigger_id: "hub", version: 1, state: "active", changed: true });
    expect(tell(first.state, put())).toMatchObject({ events: [], reply: { version: 1, changed: false } });
  });

  it("[T-6.2] another definition is a new version, another secret is none", () => {
    const first = run([put()]);
    expect(tell(first, put(otherMatch)).reply).toMatchObject({ version: 2, changed: true });
    const secret = tell(first, put({}, { secrets: { has_secret: true } }));
    expect(secret).toMatchObject({ events: ["secrets_changed"], reply: { version: 1, changed: true } });
    expect(secret.state).toMatchObject({ secret_generation: 1, has_secret: true });
    const rotated = tell(secret.state, { type: "secrets_changed", has_secret: false });
    expect(rotated.state).toMatchObject({ secret_generation: 2, has_secret: false, current: { version: 1 } });
  });

  it("[T-25] going back to an earlier definition revives its version, and the next new one is not numbered twice", () => {
    const back = tell(run([put(), put(otherMatch)]), put());
    expect(back.reply).toMatchObject({ version: 1, state: "active", changed: true });
    expect(acceptingBinding(back.state)).toMatchObject({ ok: true, value: { version: 1, definition: stored() } });
    expect(tell(back.state, put({ match: {} })).reply).toMatchObject({ version: 3 });
    expect(triggerView(back.state)?.versions.map((one) => [one.id, one.state])).toEqual([
      ["hub@v1", "active"],
      ["hub@v2", "terminated"],
    ]);
  });

  it("[T-6.1] the fingerprint ignores the order of keys, the secret and the state", () => {
    const one = definition({ state: "paused", handler: { workflow: "w", version: 1 } });
    const two = definition({ secret: "other", handler: { version: 1, workflow: "w" } });
    expect(fingerprintOf(storedDefinition(one))).toBe(fingerprintOf(storedDefinition(two)));
    expect(fingerprintOf(storedDefinition(one))).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(fingerprintOf(stored(otherMatch))).not.toBe(fingerprintOf(stored()));
  });
});

describe("life of versions", () => {
  it("[T-6.1] a version that has nothing in flight ends at once, another one when it is drained", () => {
    expect(states(run([put(), put(otherMatch)]))).toEqual(["1 terminated", "2 active"]);
    const draining = run([put(), put(otherMatch, { busy: [1] })]);
    expect(states(draining)).toEqual(["1 draining", "2 active"]);
    const ended = tell(draining, { type: "drained", version: 1 });
    expect(ended).toMatchObject({ events: ["terminated"], reply: { version: 2, changed: true } });
    expect(states(ended.state)).toEqual(["1 terminated", "2 active"]);
    for (const version of [1, 2, 9])
      expect(tell(ended.state, { type: "drained", version })).toMatchObject({ events: [], reply: { changed: false } });
    expect(tell(bindingMachine.initial, { type: "drained", version: 1 }).reply).toMatch(/^trigger_not_found/);
  });

  it("[T-6.1] deleting drains, and what drains can be told so again but not what has ended", () => {
    const draining = run([put(), { type: "delete", busy: [1] }]);
    expect(draining.status).toBe("deleted");
    expect(states(draining)).toEqual(["1 draining"]);
    expect(tell(draining, { type: "delete" })).toMatchObject({ events: [], reply: { changed: false } });
    const ended = tell(draining, { type: "drained", version: 1 }).state;
    expect(states(ended)).toEqual(["1 terminated"]);
    expect(tell(ended, { type: "delete" }).reply).toBe("trigger_not_found: unknown trigger id 'hub'");
    expect(tell(ended, { type: "secrets_changed", has_secret: true }).reply).toMatch(/^trigger_not_found/);
  });

  it("[T-25] a version that drains is revived in its place, not made twice", () => {
    const back = run([put(), put(otherMatch, { busy: [1] }), put()]);
    expect(states(back)).toEqual(["1 active", "2 terminated"]);
    expect(tell(back, { type: "drained", version: 1 }).events).toEqual([]);
  });

  it("[T-25] every version keeps its definition for ever", () => {
    const state = run([put(), put(otherMatch), put({ match: {} }), { type: "delete" }]);
    expect([1, 2, 3].map((version) => definitionOf(state, version)?.match)).toEqual([
      stored().match,
      otherMatch.match,
      {},
    ]);
    expect(definitionOf(state, 4)).toBeNull();
    expect(definitionOf(bindingMachine.initial, 1)).toBeNull();
  });

  it("[T-6.2] the manifest and others do not change each other's triggers unless they are deleted", () => {
    const manifest = { source: "manifest" } as const;
    const owned = run([put({}, manifest)]);
    expect(tell(owned, put(otherMatch)).reply).toBe(
      "invalid_transition: trigger 'hub' belongs to the manifest; change it there",
    );
    expect(tell(run([put()]), put(otherMatch, manifest)).reply).toMatch(/^invalid_transition: .*delete it first$/);
    expect(tell(owned, { type: "delete", source: "dynamic" }).reply).toMatch(/^trigger_not_found/);
    const taken = run([put({}, manifest), { type: "delete" }, put()]);
    expect(taken).toMatchObject({ source: "dynamic", status: "active", current: { version: 1 } });
    expect(tell(owned, put({}, { only_new: true, ...manifest })).reply).toBe(
      "invalid_transition: duplicate trigger id 'hub'",
    );
    expect(tell(run([put(), { type: "delete" }]), put({}, { only_new: true })).reply).toMatchObject({ version: 1 });
  });

  it("[T-6.1] where the handler is code, other code is another version", () => {
    const code = { ...stored(), handler: { function: "f" } } as unknown as ConfigureBinding["definition"];
    const deployed = (code_version: string) => put({}, { definition: code, code_version });
    const state = run([deployed("a"), deployed("a"), deployed("b")]);
    expect(states(state)).toEqual(["1 terminated", "2 active"]);
    expect(states(run([deployed("a"), deployed("b"), deployed("a")]))).toEqual(["1 active", "2 terminated"]);
    expect(states(run([put({}, { code_version: "a" }), put({}, { code_version: "b" })]))).toEqual(["1 active"]);
  });

  it("[T-25] a journal of the first release is read: definitions by version, and another secret was another version", () => {
    const at = "2026-04-19T12:00:00.000Z";
    const version = (number: number, digest: string | null) => ({
      id: `hub@v${number}`,
      version: number,
      fingerprint: fingerprintOf(stored()),
      secret_digest: digest,
      created_at: at,
    });
    const old = (number: number, digest: string | null) =>
      ({
        type: "configured",
        trigger_id: "hub",
        definition: stored(),
        binding: version(number, digest),
        state: "active",
        at,
      }) as const;
    const state = fold(bindingMachine, bindingMachine.initial, [old(1, "d1"), old(2, "d2")]);
    expect(state).toMatchObject({ source: "dynamic", has_secret: true, secret_generation: 2 });
    expect(states(state)).toEqual(["1 terminated", "2 active"]);
    expect(definitionOf(state, 1)).toEqual(stored());
    expect(JSON.stringify(state)).not.toContain("d2");
    expect(tell(state, put()).reply).toMatchObject({ version: 2, changed: false });
    const gone = fold(bindingMachine, state, [{ type: "deleted", at }]);
    expect(tell(gone, put()).reply).toMatchObject({ version: 2, changed: true });
    expect(fold(bindingMachine, state, [old(1, null)])).toMatchObject({ has_secret: false });
  });
});

describe("states", () => {
  it("[T-6.1] a paused trigger accepts nothing until it is resumed", () => {
    const paused = tell(run([put()]), { type: "pause" });
    expect(paused).toMatchObject({ events: ["paused"], reply: { state: "paused", changed: true } });
    expect(acceptingBinding(paused.state)).toMatchObject({ ok: false, error: { code: "trigger_paused" } });
    expect(tell(paused.state, { type: "pause" })).toMatchObject({ events: [], reply: { changed: false } });
    const resumed = tell(paused.state, { type: "resume" });
    expect(resumed).toMatchObject({ events: ["resumed"], reply: { state: "active" } });
    expect(acceptingBinding(resumed.state)).toMatchObject({ ok: true });
    expect(tell(resumed.state, { type: "resume" })).toMatchObject({ events: [] });
  });

  it("[T-6.1] configuring keeps the state unless it says another", () => {
    const paused = run([put(), { type: "pause" }]);
    expect(tell(paused, put()).reply).toMatchObject({ state: "paused", changed: false });
    expect(tell(paused, put(otherMatch)).reply).toMatchObject({ state: "paused", version: 2 });
    expect(tell(paused, put({}, { state: "active" }))).toMatchObject({ events: ["resumed"], reply: { version: 1 } });
    expect(tell(run([put()]), put({}, { state: "paused" }))).toMatchObject({ events: ["paused"] });
    expect(tell(bindingMachine.initial, put({}, { state: "paused" })).reply).toMatchObject({
      state: "paused",
      version: 1,
    });
  });

  it("[T-6.3] a trigger that does not exist is unknown to everything but configure", () => {
    for (const type of ["pause", "resume", "delete"] as const) {
      expect(tell(bindingMachine.initial, { type }).reply).toBe("trigger_not_found: unknown trigger id");
      expect(tell(run([put(), { type: "delete" }]), { type }).reply).toBe(
        "trigger_not_found: unknown trigger id 'hub'",
      );
    }
    expect(acceptingBinding(bindingMachine.initial)).toMatchObject({ ok: false, error: { code: "trigger_not_found" } });
    expect(triggerView(bindingMachine.initial)).toBeNull();
  });

  it("[T-6.1] a deleted trigger accepts nothing, and can be put again with its versions", () => {
    const deleted = run([put(), { type: "delete" }]);
    expect(deleted.status).toBe("deleted");
    expect(acceptingBinding(deleted)).toMatchObject({ ok: false, error: { code: "trigger_not_found" } });
    expect(tell(deleted, put()).reply).toEqual({ trigger_id: "hub", version: 1, state: "active", changed: true });
    expect(tell(deleted, put(otherMatch)).reply).toMatchObject({ version: 2 });
  });

  it("[T-6.1] events that do not fit change nothing", () => {
    const event = { type: "paused", at: "2026-04-19T12:00:00.000Z" } as const;
    expect(bindingMachine.evolve(bindingMachine.initial, event)).toEqual(bindingMachine.initial);
    const deleted = run([put(), { type: "delete" }]);
    expect(bindingMachine.evolve(deleted, event)).toBe(deleted);
  });
});

describe("view", () => {
  it("[T-5.1] shows everything but the secret", () => {
    const view = triggerView(run([put({ secret: "very secret" }, { secrets: { has_secret: true } })]));
    expect(triggerViewSchema.parse(view)).toEqual(view);
    expect(view).toMatchObject({ trigger_id: "hub", source: "dynamic", version: 1, state: "active", has_secret: true });
    expect(JSON.stringify(view)).not.toContain("very secret");
    expect(triggerView(run([put()]))).toMatchObject({ has_secret: false });
    expect(triggerView(run([put({ secret: undefined, secret_ref: "github/s" })]))).toMatchObject({
      has_secret: true,
      definition: { secret_ref: "github/s" },
    });
  });

  it("[T-5.1] tells when the trigger was made and last changed", () => {
    const made = tell(bindingMachine.initial, put(), NOON).state;
    const later = tell(made, { type: "pause" }, NOON + 1000).state;
    expect(triggerView(later)).toMatchObject({
      created_at: "2026-04-19T12:00:00.000Z",
      updated_at: "2026-04-19T12:00:01.000Z",
    });
  });
});
