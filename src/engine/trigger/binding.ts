// One trigger and the versions of its binding (spec/triggers 6).
//
//   (absent) --configure--> active <--pause/resume--> paused
//                              \________delete__________/--> deleted --configure--> active
//
// B1 A version is one definition with one secret: configuring the same pair again changes nothing.
// B2 Versions count up from 1 and are never given to another pair; going back to an earlier pair revives its version.
// B3 At most one version is current; the others are superseded. A deleted trigger accepts nothing.
// B4 No event or state holds a secret, only its digest.

import { canonicalJson, type Json } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { sha256Hex } from "../../lib/stable-uuid.ts";
import { rfc3339 } from "../../lib/time.ts";
import type { StoredDefinition, TriggerDefinition, TriggerState, TriggerView } from "../../schema/trigger.ts";
import { reject, type Context, type Decision, type Machine, type Rejection } from "../machine.ts";

/** One definition with one secret. */
export interface BindingVersion {
  /** `<trigger id>@v<version>` (spec/triggers 6.1). */
  readonly id: string;
  readonly version: number;
  readonly fingerprint: string;
  readonly secret_digest: string | null;
  readonly created_at: string;
}

/** A trigger's state; `status` says whether there is one. */
export type BindingState =
  | { readonly status: "absent" }
  | {
      readonly status: TriggerState;
      readonly trigger_id: string;
      readonly definition: StoredDefinition;
      readonly current: BindingVersion;
      /** Every version there ever was, ascending. */
      readonly versions: readonly BindingVersion[];
      readonly created_at: string;
      readonly updated_at: string;
    };

/** What a trigger can be told. */
export type BindingCommand =
  | {
      readonly type: "configure";
      readonly trigger_id: string;
      readonly definition: StoredDefinition;
      /** A keyed digest of the secret, made by the shell; null when `secret_ref` names it. */
      readonly secret_digest: string | null;
      /** Without it the trigger keeps its state; a new or deleted one becomes active. */
      readonly state?: "active" | "paused" | undefined;
    }
  | { readonly type: "pause" | "resume" | "delete" };

/** What happened to a trigger. */
export type BindingEvent =
  | {
      readonly type: "configured";
      readonly trigger_id: string;
      readonly definition: StoredDefinition;
      readonly binding: BindingVersion;
      readonly state: "active" | "paused";
      readonly at: string;
    }
  | { readonly type: "paused" | "resumed" | "deleted"; readonly at: string };

/** The answer to every command. */
export interface BindingReply {
  readonly trigger_id: string;
  readonly version: number;
  readonly state: TriggerState;
  /** Whether the command changed anything. */
  readonly changed: boolean;
}

type Present = Exclude<BindingState, { readonly status: "absent" }>;
type BindingDecision = Decision<BindingEvent, never, BindingReply>;

/** Everything of a definition that may be stored and shown (B4). */
export const storedDefinition = (definition: TriggerDefinition): StoredDefinition => {
  const { secret: _secret, state: _state, ...stored } = definition;
  return stored;
};

/** The same text for equal definitions, whatever the order of their keys; the secret has no part in it (spec/triggers 6.1). */
export const fingerprintOf = (definition: StoredDefinition): string =>
  `sha256:${sha256Hex(canonicalJson(definition as unknown as Json))}`;

const apply = (state: BindingState, event: BindingEvent): BindingState => {
  if (event.type === "configured") {
    const known = state.status === "absent" ? [] : state.versions;
    const isNew = !known.some((version) => version.version === event.binding.version);
    return {
      status: event.state,
      trigger_id: event.trigger_id,
      definition: event.definition,
      current: event.binding,
      versions: isNew ? [...known, event.binding] : known,
      created_at: state.status === "absent" ? event.at : state.created_at,
      updated_at: event.at,
    };
  }
  if (state.status === "absent" || state.status === "deleted") return state;
  const status = event.type === "resumed" ? "active" : event.type;
  return { ...state, status, updated_at: event.at };
};

const decided = (state: BindingState, events: readonly BindingEvent[]): BindingDecision => {
  const next = events.reduce(apply, state);
  if (next.status === "absent") return reject("trigger_not_found", "the trigger does not exist");
  const { trigger_id, current, status } = next;
  const changed = events.length > 0;
  return { ok: true, events, effects: [], reply: { trigger_id, version: current.version, state: status, changed } };
};

const versionFor = (
  command: Extract<BindingCommand, { readonly type: "configure" }>,
  known: readonly BindingVersion[],
  at: string,
): BindingVersion => {
  const fingerprint = fingerprintOf(command.definition);
  const { secret_digest, trigger_id } = command;
  const same = known.find((one) => one.fingerprint === fingerprint && one.secret_digest === secret_digest);
  if (same !== undefined) return same;
  const version = Math.max(0, ...known.map((one) => one.version)) + 1;
  return { id: `${trigger_id}@v${version}`, version, fingerprint, secret_digest, created_at: at };
};

const configure = (
  state: BindingState,
  command: Extract<BindingCommand, { readonly type: "configure" }>,
  context: Context,
): BindingDecision => {
  const at = rfc3339(context.now);
  const { trigger_id, definition } = command;
  const known = state.status === "absent" ? [] : state.versions;
  const binding = versionFor(command, known, at);
  const kept = state.status === "paused" ? "paused" : "active";
  const wanted = command.state ?? kept;
  const isCurrent = state.status !== "absent" && state.current.version === binding.version;
  if (!isCurrent || state.status === "deleted") {
    return decided(state, [{ type: "configured", trigger_id, definition, binding, state: wanted, at }]);
  }
  if (state.status === wanted) return decided(state, []);
  return decided(state, [{ type: wanted === "paused" ? "paused" : "resumed", at }]);
};

const unknown = (state: BindingState): Rejection => ({
  code: "trigger_not_found",
  detail: state.status === "absent" ? "unknown trigger id" : `unknown trigger id '${state.trigger_id}'`,
});

const control = (state: Present, type: "pause" | "resume" | "delete", context: Context): BindingDecision => {
  const at = rfc3339(context.now);
  if (type === "delete") return decided(state, [{ type: "deleted", at }]);
  const target = type === "pause" ? "paused" : "active";
  if (state.status === target) return decided(state, []);
  return decided(state, [{ type: type === "pause" ? "paused" : "resumed", at }]);
};

/** A trigger: configure, pause, resume, delete (spec/triggers 6). */
export const bindingMachine: Machine<BindingState, BindingCommand, BindingEvent, never, BindingReply> = {
  initial: { status: "absent" },
  decide: (state, command, context) => {
    if (command.type === "configure") return configure(state, command, context);
    if (state.status === "absent" || state.status === "deleted") return { ok: false, rejection: unknown(state) };
    return control(state, command.type, context);
  },
  evolve: apply,
};

/** What an event keeps of the version that accepted it, so that its handling never depends on later changes. */
export interface BindingSnapshot {
  readonly trigger_id: string;
  readonly version: number;
  readonly definition: StoredDefinition;
}

/** The version that accepts deliveries now, or why none does. */
export const acceptingBinding = (state: BindingState): Result<BindingSnapshot, Rejection> => {
  if (state.status === "absent" || state.status === "deleted") return err(unknown(state));
  const { trigger_id, current, definition } = state;
  if (state.status === "paused") {
    const detail = `trigger '${trigger_id}' is paused; resume it to accept deliveries`;
    return err({ code: "trigger_paused", detail });
  }
  return ok({ trigger_id, version: current.version, definition });
};

/** A trigger as it may be shown, or null when it does not exist. */
export const triggerView = (state: BindingState): TriggerView | null => {
  if (state.status === "absent") return null;
  const { trigger_id, current, definition, status, created_at, updated_at } = state;
  return {
    trigger_id,
    version: current.version,
    fingerprint: current.fingerprint,
    state: status,
    has_secret: current.secret_digest !== null || definition.secret_ref !== undefined,
    definition,
    versions: state.versions.map(({ secret_digest: _digest, ...version }) => ({
      ...version,
      state: version.version === current.version ? status : "superseded",
    })),
    created_at,
    updated_at,
  };
};
