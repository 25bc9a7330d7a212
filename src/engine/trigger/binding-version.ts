// The life of a trigger's versions (spec/triggers 6.1).
//
//   (null) --> registering --> active --> draining --> terminated
//                  ^______________revived_____|___________|
//
// V1 A version stands for one fingerprint for ever, and its definition is kept for ever (25, decision 20).
// V2 At most one version is registering or active.
// V3 A version is terminated only when it has nothing in flight.

import { canonicalJson, type Json } from "../../lib/json.ts";
import { sha256Hex } from "../../lib/stable-uuid.ts";
import { handlerKindOf } from "./definition-handler.ts";
import type { StoredDefinition, TriggerDefinition } from "../../schema/trigger-definition.ts";

/** Where a version is in its life. */
export type VersionState = "registering" | "active" | "draining" | "terminated";

/** Who put a trigger: a whole manifest, or somebody one by one. */
export type BindingSource = "manifest" | "dynamic";

/** One definition of a trigger. */
export interface BindingVersion {
  /** `<trigger id>@v<version>` (spec/triggers 6.1). */
  readonly id: string;
  readonly version: number;
  readonly fingerprint: string;
  readonly state: VersionState;
  readonly source: BindingSource;
  readonly definition: StoredDefinition;
  readonly created_at: string;
}

/** A version as the event that registers it tells. */
export type RegisteredVersion = Pick<BindingVersion, "id" | "version" | "fingerprint" | "created_at">;

/** One step in the life of a version. */
export interface VersionTransition {
  readonly version: number;
  readonly source: BindingSource;
  /** Null when the version is registered, for the first time or again. */
  readonly from_state: VersionState | null;
  readonly to_state: VersionState;
  readonly at: string;
}

/** All versions of a trigger, ascending, and all that ever happened to them, in order. */
export interface VersionLife {
  readonly versions: readonly BindingVersion[];
  readonly history: readonly VersionTransition[];
}

/** Everything of a definition that may be stored and shown. */
export const storedDefinition = (definition: TriggerDefinition): StoredDefinition => {
  const { secret: _secret, state: _state, ...stored } = definition;
  return stored;
};

/**
 * The same text for equal definitions, whatever the order of their keys; secret and state have no part in it
 * (spec/triggers 6.1). Where the handler is code of the deployment, the deployment is part of it: other code is another
 * version (25, decision 26).
 */
export const fingerprintOf = (definition: StoredDefinition, codeVersion: string | null = null): string => {
  const isCode = codeVersion !== null && handlerKindOf(definition) === "local";
  const content = isCode ? { code_version: codeVersion, definition } : definition;
  return `sha256:${sha256Hex(canonicalJson(content as unknown as Json))}`;
};

/** Whether a version still handles events: a draining one finishes what it has (spec/triggers 6.3). */
export const isLive = ({ state }: Pick<BindingVersion, "state">): boolean => state !== "terminated";

const moved = (life: VersionLife, version: BindingVersion, to_state: VersionState, at: string): VersionLife => ({
  versions: life.versions.map((one) => (one.version === version.version ? { ...one, state: to_state } : one)),
  history: [
    ...life.history,
    { version: version.version, source: version.source, from_state: version.state, to_state, at },
  ],
});

/** Ends a version that drains; any other one is left as it is. */
export const terminated = (life: VersionLife, version: number, at: string): VersionLife => {
  const found = life.versions.find((one) => one.version === version);
  return found?.state === "draining" ? moved(life, found, "terminated", at) : life;
};

/** Lets every version that accepts events drain; those with nothing in flight end at once (spec/triggers 6.1). */
export const drained = (life: VersionLife, busy: readonly number[], at: string): VersionLife => {
  let next = life;
  for (const one of life.versions) {
    if (one.state !== "active" && one.state !== "registering") continue;
    next = moved(next, one, "draining", at);
    if (!busy.includes(one.version)) next = terminated(next, one.version, at);
  }
  return next;
};

/** Makes a version the active one: a new one is added, one that there was is revived in its place (25, decision 26). */
export const registered = (life: VersionLife, version: Omit<BindingVersion, "state">, at: string): VersionLife => {
  const others = life.versions.filter((one) => one.version !== version.version);
  const one: BindingVersion = { ...version, state: "registering" };
  const { version: number, source } = version;
  const entry: VersionTransition = { version: number, source, from_state: null, to_state: "registering", at };
  const versions = [...others, one].toSorted((left, right) => left.version - right.version);
  return moved({ versions, history: [...life.history, entry] }, one, "active", at);
};
