// One trigger and the versions of its binding (spec/triggers 6).
//
//   (absent) --configure--> active <--pause/resume--> paused
//                              \________delete__________/--> deleted --configure--> active
//
// B1 A version is one definition: configuring the same one again changes nothing.
// B2 Versions count up from 1 and are never given to another definition; going back to an earlier one revives its version.
// B3 One version is current; the others drain and end. A deleted trigger accepts nothing.
// B4 No event or state holds a secret; `secret_generation` says that secrets have changed, which makes no version.
// B5 What is in flight is not journaled: whoever gives a command says which versions have something in flight (`busy`).

import { err, ok, type Result } from "../../lib/result.ts";
import { rfc3339 } from "../../lib/time.ts";
import type { TriggerState, TriggerView } from "../../schema/trigger.ts";
import type { StoredDefinition } from "../../schema/trigger-definition.ts";
import { reject, type Context, type Decision, type Machine, type Rejection } from "../machine.ts";
import {
  type BindingSource,
  type BindingVersion,
  drained,
  fingerprintOf,
  isLive,
  type RegisteredVersion,
  registered,
  terminated,
  type VersionLife,
} from "./binding-version.ts";

export { fingerprintOf, storedDefinition } from "./binding-version.ts";

/** A trigger's state; `status` says whether there is one. */
export type BindingState =
  | { readonly status: "absent" }
  | (VersionLife & {
      readonly status: TriggerState;
      readonly trigger_id: string;
      readonly source: BindingSource;
      readonly definition: StoredDefinition;
      readonly current: BindingVersion;
      /** Counts the changes of the trigger's secrets: what was verified under an earlier one has to be verified again. */
      readonly secret_generation: number;
      /** Whether the trigger has secrets of its own. */
      readonly has_secret: boolean;
      readonly created_at: string;
      readonly updated_at: string;
    });

/** Puts a definition (spec/triggers 6.2). */
export interface ConfigureBinding {
  readonly type: "configure";
  readonly trigger_id: string;
  readonly definition: StoredDefinition;
  /** Without it the trigger keeps its state; a new or deleted one becomes active. */
  readonly state?: "active" | "paused" | undefined;
  /** Who puts it; `dynamic` unless told otherwise. The other one may not change a trigger that is not deleted. */
  readonly source?: BindingSource | undefined;
  /** Given when the secrets change with it. */
  readonly secrets?: { readonly has_secret: boolean } | undefined;
  /** Which code is deployed; it counts where the handler is a function of the deployment. */
  readonly code_version?: string | null | undefined;
  /** Versions with something in flight. */
  readonly busy?: readonly number[] | undefined;
  /** Refuses an id that is live. */
  readonly only_new?: boolean | undefined;
}

/** What a trigger can be told. */
export type BindingCommand =
  | ConfigureBinding
  | { readonly type: "pause" | "resume" }
  | {
      readonly type: "delete";
      readonly busy?: readonly number[] | undefined;
      /** Only a trigger that was put so is deleted. */
      readonly source?: BindingSource | undefined;
    }
  /** The secrets have changed. */
  | { readonly type: "secrets_changed"; readonly has_secret: boolean }
  /** A version has nothing in flight any more. */
  | { readonly type: "drained"; readonly version: number };

/** What happened to a trigger. */
export type BindingEvent =
  | {
      readonly type: "configured";
      readonly trigger_id: string;
      readonly definition: StoredDefinition;
      /** With `secret_digest` in journals of the first release, where another secret was another version. */
      readonly binding: RegisteredVersion & { readonly secret_digest?: string | null };
      readonly state: "active" | "paused";
      /** Absent in journals of the first release, which knew no manifests. */
      readonly source?: BindingSource;
      readonly busy?: readonly number[];
      readonly at: string;
    }
  | { readonly type: "paused" | "resumed"; readonly at: string }
  | { readonly type: "deleted"; readonly busy?: readonly number[]; readonly at: string }
  | { readonly type: "secrets_changed"; readonly has_secret: boolean; readonly at: string }
  | { readonly type: "terminated"; readonly version: number; readonly at: string };

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
type Configured = Extract<BindingEvent, { readonly type: "configured" }>;

/** A journal of the first release says with each version whether it had a secret. */
const secretsAfter = (state: BindingState, { binding }: Configured) => {
  const before = state.status === "absent" ? { secret_generation: 0, has_secret: false } : state;
  const { secret_generation, has_secret } = before;
  if (binding.secret_digest === undefined) return { secret_generation, has_secret };
  return { secret_generation: secret_generation + 1, has_secret: binding.secret_digest !== null };
};

const applyConfigured = (state: BindingState, event: Configured): BindingState => {
  const { trigger_id, definition, at, source = "dynamic", busy = [] } = event;
  const { secret_digest: _digest, ...binding } = event.binding;
  const before = state.status === "absent" ? { versions: [], history: [] } : state;
  const { versions, history } = registered(drained(before, busy, at), { ...binding, source, definition }, at);
  return {
    status: event.state,
    trigger_id,
    source,
    definition,
    current: currentOf(versions, binding.version),
    versions,
    history,
    ...secretsAfter(state, event),
    created_at: state.status === "absent" ? at : state.created_at,
    updated_at: at,
  };
};

const currentOf = (versions: readonly BindingVersion[], version: number): BindingVersion => {
  const found = versions.find((one) => one.version === version);
  if (found === undefined) throw new Error(`there is no version ${version}`);
  return found;
};

const withLife = (state: Present, { versions, history }: VersionLife): Present => ({
  ...state,
  versions,
  history,
  current: currentOf(versions, state.current.version),
});

const apply = (state: BindingState, event: BindingEvent): BindingState => {
  if (event.type === "configured") return applyConfigured(state, event);
  if (state.status === "absent") return state;
  const { at } = event;
  if (event.type === "terminated") return withLife(state, terminated(state, event.version, at));
  if (state.status === "deleted") return state;
  const secret_generation = state.secret_generation + 1;
  switch (event.type) {
    case "secrets_changed":
      return { ...state, secret_generation, has_secret: event.has_secret, updated_at: at };
    case "deleted": {
      const next = withLife(state, drained(state, event.busy ?? [], at));
      return { ...next, status: "deleted", secret_generation, has_secret: false, updated_at: at };
    }
    case "paused":
    case "resumed":
      return { ...state, status: event.type === "resumed" ? "active" : "paused", updated_at: at };
  }
};

const decided = (state: BindingState, events: readonly BindingEvent[]): BindingDecision => {
  const next = events.reduce(apply, state);
  if (next.status === "absent") return reject("trigger_not_found", "the trigger does not exist");
  const { trigger_id, current, status } = next;
  const changed = events.length > 0;
  return { ok: true, events, effects: [], reply: { trigger_id, version: current.version, state: status, changed } };
};

/** The version of a definition: the one it has, or had last, or the next number (spec/triggers 6.2). */
const versionFor = (command: ConfigureBinding, state: BindingState, at: string): RegisteredVersion => {
  const known = state.status === "absent" ? [] : state.versions;
  const fingerprint = fingerprintOf(command.definition, command.code_version);
  const isCurrent = state.status !== "absent" && state.current.fingerprint === fingerprint;
  const same = isCurrent ? state.current : known.findLast((one) => one.fingerprint === fingerprint);
  if (same !== undefined) {
    const { id, version, created_at } = same;
    return { id, version, fingerprint, created_at };
  }
  const version = (known.at(-1)?.version ?? 0) + 1;
  return { id: `${command.trigger_id}@v${version}`, version, fingerprint, created_at: at };
};

const OWNERS: Readonly<Record<BindingSource, string>> = {
  manifest: "belongs to the manifest; change it there",
  dynamic: "was put by itself and is not the manifest's; delete it first",
};

/** Why a definition cannot be put, or null when it can. */
const configureProblem = (state: BindingState, command: ConfigureBinding): Rejection | null => {
  if (state.status === "absent") return null;
  const { trigger_id } = state;
  if (command.only_new === true && state.versions.some(isLive))
    return { code: "invalid_transition", detail: `duplicate trigger id '${trigger_id}'` };
  const { shards: before = 1 } = state.definition;
  const { shards = 1 } = command.definition;
  // Where an event of a dedupe key is follows from their number: with another one it would be taken in twice.
  if (before !== shards)
    return {
      code: "invalid_transition",
      detail: `\`shards\` of trigger '${trigger_id}' is ${before} and cannot be changed: use another id`,
    };
  if (state.status === "deleted" || (command.source ?? "dynamic") === state.source) return null;
  return { code: "invalid_transition", detail: `trigger '${trigger_id}' ${OWNERS[state.source]}` };
};

const configure = (state: BindingState, command: ConfigureBinding, context: Context): BindingDecision => {
  const rejection = configureProblem(state, command);
  if (rejection !== null) return { ok: false, rejection };
  const at = rfc3339(context.now);
  const { trigger_id, definition, source = "dynamic", busy = [], secrets } = command;
  const binding = versionFor(command, state, at);
  const wanted = command.state ?? (state.status === "paused" ? "paused" : "active");
  const events: BindingEvent[] = [];
  const isCurrent = state.status !== "absent" && state.current.version === binding.version;
  if (!isCurrent || state.status === "deleted")
    events.push({ type: "configured", trigger_id, definition, binding, state: wanted, source, busy, at });
  else if (state.status !== wanted) events.push({ type: wanted === "paused" ? "paused" : "resumed", at });
  if (secrets !== undefined) events.push({ type: "secrets_changed", has_secret: secrets.has_secret, at });
  return decided(state, events);
};

const unknown = (state: BindingState): Rejection => ({
  code: "trigger_not_found",
  detail: state.status === "absent" ? "unknown trigger id" : `unknown trigger id '${state.trigger_id}'`,
});

const remove = (
  state: Present,
  command: Extract<BindingCommand, { readonly type: "delete" }>,
  context: Context,
): BindingDecision => {
  const { source = state.source, busy = [] } = command;
  if (source !== state.source || !state.versions.some(isLive)) return { ok: false, rejection: unknown(state) };
  if (state.status === "deleted") return decided(state, []);
  return decided(state, [{ type: "deleted", busy, at: rfc3339(context.now) }]);
};

const drainedOut = (state: Present, version: number, context: Context): BindingDecision => {
  const isDraining = state.versions.some((one) => one.version === version && one.state === "draining");
  return decided(state, isDraining ? [{ type: "terminated", version, at: rfc3339(context.now) }] : []);
};

/** A trigger: configure, pause, resume, delete, and the end of its versions (spec/triggers 6). */
export const bindingMachine: Machine<BindingState, BindingCommand, BindingEvent, never, BindingReply> = {
  initial: { status: "absent" },
  decide: (state, command, context) => {
    if (command.type === "configure") return configure(state, command, context);
    if (state.status === "absent") return { ok: false, rejection: unknown(state) };
    if (command.type === "drained") return drainedOut(state, command.version, context);
    if (command.type === "delete") return remove(state, command, context);
    if (state.status === "deleted") return { ok: false, rejection: unknown(state) };
    const at = rfc3339(context.now);
    if (command.type === "secrets_changed")
      return decided(state, [{ type: "secrets_changed", has_secret: command.has_secret, at }]);
    if (state.status === (command.type === "pause" ? "paused" : "active")) return decided(state, []);
    return decided(state, [{ type: command.type === "pause" ? "paused" : "resumed", at }]);
  },
  evolve: apply,
};

/** What an event keeps of the version that accepted it, so that its handling never depends on later changes. */
export interface BindingSnapshot {
  readonly trigger_id: string;
  readonly version: number;
  readonly definition: StoredDefinition;
}

/** The definition of a version, whatever has become of it since; null for a version that there never was. */
export const definitionOf = (state: BindingState, version: number): StoredDefinition | null =>
  state.status === "absent" ? null : (state.versions.find((one) => one.version === version)?.definition ?? null);

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
  const { trigger_id, source, current, definition, status, has_secret, created_at, updated_at } = state;
  return {
    trigger_id,
    source,
    version: current.version,
    fingerprint: current.fingerprint,
    state: status,
    has_secret: has_secret || definition.secret_ref !== undefined,
    definition,
    versions: state.versions.map(({ id, version, fingerprint, state: life, created_at: since }) => ({
      id,
      version,
      fingerprint,
      state: life,
      created_at: since,
    })),
    created_at,
    updated_at,
  };
};
