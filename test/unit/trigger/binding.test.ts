import { describe, expect, it } from "vitest";
import { fold } from "../../../src/engine/machine.ts";
import {
  acceptingBinding,
  bindingMachine,
  fingerprintOf,
  storedDefinition,
  triggerView,
  type BindingCommand,
  type BindingReply,
  type BindingState,
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
  digest: string | null = "d1",
  state?: "active" | "paused",
): BindingCommand => ({
  type: "configure",
  trigger_id: "hub",
  definition: stored(change),
  secret_digest: digest,
  state,
});

const otherMatch = { match: { events: ["push"] } };

describe("versions", () => {
  it("[T-6.2] a trigger starts at version 1, and the same definition with the same secret changes nothing", () => {
    const first = tell(bindingMachine.initial, put());
    expect(first.reply).toEqual({ trigger_id: "hub", version: 1, state: "active", changed: true });
    expect(tell(first.state, put())).toMatchObject({ events: [], reply: { version: 1, changed: false } });
  });

  it("[T-6.2] another definition or another secret is a new version", () => {
    const first = run([put()]);
    expect(tell(first, put(otherMatch)).reply).toMatchObject({ version: 2, changed: true });
    expect(tell(first, put({}, "d2")).reply).toMatchObject({ version: 2, changed: true });
    expect(tell(run([put(), put(otherMatch)]), put(otherMatch, "d2")).reply).toMatchObject({ version: 3 });
  });

  it("[T-25] going back to an earlier definition revives its version, and the next new one is not numbered twice", () => {
    const back = tell(run([put(), put(otherMatch)]), put());
    expect(back.reply).toMatchObject({ version: 1, state: "active", changed: true });
    expect(acceptingBinding(back.state)).toMatchObject({ ok: true, value: { version: 1, definition: stored() } });
    expect(tell(back.state, put({ match: {} })).reply).toMatchObject({ version: 3 });
    expect(triggerView(back.state)?.versions.map((one) => [one.id, one.state])).toEqual([
      ["hub@v1", "active"],
      ["hub@v2", "superseded"],
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
    expect(tell(paused, put({}, "d1", "active"))).toMatchObject({ events: ["resumed"], reply: { version: 1 } });
    expect(tell(run([put()]), put({}, "d1", "paused"))).toMatchObject({ events: ["paused"] });
    expect(tell(bindingMachine.initial, put({}, "d1", "paused")).reply).toMatchObject({ state: "paused", version: 1 });
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
    const view = triggerView(run([put({ secret: "very secret" }, "digest-of-it")]));
    expect(triggerViewSchema.parse(view)).toEqual(view);
    expect(view).toMatchObject({ trigger_id: "hub", version: 1, state: "active", has_secret: true });
    const text = JSON.stringify(view);
    expect(text).not.toContain("very secret");
    expect(text).not.toContain("digest-of-it");
    expect(triggerView(run([put({ secret: undefined, secret_ref: "github/s" }, null)]))).toMatchObject({
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
