import type { Context } from "../../../src/engine/machine.ts";
import type { BindingSnapshot } from "../../../src/engine/trigger/binding.ts";
import type { AcceptEvent, EventState, SettleDispatch } from "../../../src/engine/trigger/event.ts";
import { storedDefinition } from "../../../src/engine/trigger/binding.ts";
import { decodeAt, type DecodeIssue } from "../../../src/schema/decode.ts";
import { type NormalisedEvent } from "../../../src/schema/trigger.ts";
import {
  triggerDefinitionSchema,
  type StoredDefinition,
  type TriggerDefinition,
} from "../../../src/schema/trigger-definition.ts";

/** Noon of a day in 2026, in milliseconds. */
export const NOON = Date.parse("2026-04-19T12:00:00.000Z");

/** A context whose ids count up, starting after `from`. */
export const contextAt = (now = NOON, from = 0): Context => {
  let last = from;
  return {
    now,
    nextId: (prefix) => {
      last += 1;
      return `${prefix}_${last}`;
    },
  };
};

/** A definition as it would be put. */
export const written = (change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
  provider: "github",
  secret: "s3cr3t",
  match: { events: ["issues.opened"] },
  handler: { workflow: "triage" },
  ...change,
});

/** A definition that is valid; a test that gives another one is wrong. */
export const definition = (change: Readonly<Record<string, unknown>> = {}): TriggerDefinition => {
  const read = decodeAt(triggerDefinitionSchema, written(change));
  if (!read.ok) throw new Error(JSON.stringify(read.error));
  return read.value;
};

/** What is wrong with a definition; nothing when it is valid. */
export const issuesOf = (input: unknown): readonly DecodeIssue[] => {
  const read = decodeAt(triggerDefinitionSchema, input);
  return read.ok ? [] : read.error;
};

/** A definition as it is stored. */
export const stored = (change: Readonly<Record<string, unknown>> = {}): StoredDefinition =>
  storedDefinition(definition(change));

/** The version that accepts events in these tests. */
export const binding = (change: Readonly<Record<string, unknown>> = {}): BindingSnapshot => ({
  trigger_id: "hub",
  version: 3,
  definition: stored(change),
});

/** A GitHub delivery that an issue was opened. */
export const opened: NormalisedEvent = {
  provider: "github",
  kind: "issues.opened",
  occurred_at: null,
  dedupe_key: "delivery-123",
  headers: { "x-github-event": "issues" },
  provider_payload: {
    provider: "github",
    event: "issues",
    action: "opened",
    delivery_id: "delivery-123",
    installation_id: null,
    issue: { number: 99, title: "It fails" },
    raw: { action: "opened", issue: { number: 99, title: "It fails" } },
  },
  signature_status: { state: "verified" },
};

/** The command that takes in the delivery above. */
export const accept = (change: Partial<AcceptEvent> = {}): AcceptEvent => ({
  type: "accept",
  event: opened,
  binding: binding(),
  tenant_id: "t1",
  ...change,
});

/** Reports how the current attempt of an event ended. */
export const settle = (
  state: EventState,
  outcome: SettleDispatch["outcome"],
  attempt = state.status === "absent" ? 1 : state.attempts.length,
): SettleDispatch => ({
  type: "settle",
  dispatch_id: state.status === "absent" ? "none" : (state.dispatch_id ?? "none"),
  attempt,
  outcome,
});
