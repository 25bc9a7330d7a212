// What a trigger's versions have in flight and have done since the object woke (spec/triggers 6.4).
//
// L1 It is never journaled: whoever holds it in memory makes it anew from the events that are open (`loadOf`).
// L2 Every live version has an entry. A terminated one keeps its entry while it is among the two newest entries.
// L3 A version that drains and has nothing in flight is idle: it has to be told `drained`.

import { handlerKindOf } from "./definition-handler.ts";
import { triggerKindOf } from "../../lib/trigger-kind.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { Rejection } from "../machine.ts";
import type { BindingState } from "./binding.ts";
import { unknownVersion } from "./binding-history.ts";
import { type BindingSource, isLive, type VersionState } from "./binding-version.ts";

/** What one version has in flight and has done. */
export interface VersionLoad {
  readonly received: number;
  readonly dispatched: number;
  readonly failed: number;
  readonly dlq: number;
  readonly in_flight: number;
  readonly last_received_ms: Timestamp | null;
}

/** Loads by version. */
export type BindingLoad = ReadonlyMap<number, VersionLoad>;

/** How the handling of an event ended, as it is counted. */
export type LoadOutcome = "dispatched" | "failed" | "dlq";

/** A version of a trigger as it is counted and shown. */
export interface BindingReport {
  readonly id: string;
  readonly version: number;
  readonly source: BindingSource;
  readonly kind: string;
  readonly provider: string;
  readonly handler_kind: string;
  readonly state: VersionState;
  readonly metrics: VersionLoad;
}

/** Which version of which trigger. */
export interface VersionKey {
  readonly trigger_id: string;
  readonly version: number;
}

/** An event that begins. */
export interface BeginInFlight extends VersionKey {
  readonly now: Timestamp;
  /** A replay may use a version that has ended. */
  readonly is_replay?: boolean;
}

const RETAINED = 2;

const NONE: VersionLoad = { received: 0, dispatched: 0, failed: 0, dlq: 0, in_flight: 0, last_received_ms: null };

const versionsOf = (state: BindingState) => (state.status === "absent" ? [] : state.versions);

const stateOf = (state: BindingState, version: number): VersionState | null =>
  versionsOf(state).find((one) => one.version === version)?.state ?? null;

/** The load after a change of versions: entries for the live ones, and none for what was collected (L2). */
export const tendedLoad = (state: BindingState, load: BindingLoad): BindingLoad => {
  const known = versionsOf(state).filter((one) => isLive(one) || load.has(one.version));
  const newest = known.slice(-RETAINED);
  const isKept = (one: (typeof known)[number]): boolean =>
    isLive(one) || newest.includes(one) || (load.get(one.version)?.in_flight ?? 0) > 0;
  return new Map(known.filter(isKept).map((one) => [one.version, load.get(one.version) ?? NONE]));
};

/** The load of an object that woke: one in flight for each open event, given by its version. */
export const loadOf = (state: BindingState, open: Iterable<number>): BindingLoad => {
  const load = new Map<number, VersionLoad>();
  for (const version of open) {
    const { in_flight } = load.get(version) ?? NONE;
    load.set(version, { ...NONE, in_flight: in_flight + 1 });
  }
  return tendedLoad(state, load);
};

/** Versions with something in flight: they drain, but do not end. */
export const busyVersions = (load: BindingLoad): readonly number[] =>
  [...load].filter(([, { in_flight }]) => in_flight > 0).map(([version]) => version);

/** Versions that drain and have nothing left in flight (L3). */
export const idleVersions = (state: BindingState, load: BindingLoad): readonly number[] =>
  versionsOf(state)
    .filter((one) => one.state === "draining" && (load.get(one.version)?.in_flight ?? 0) === 0)
    .map((one) => one.version);

const changed = (load: BindingLoad, version: number, change: Partial<VersionLoad>): BindingLoad =>
  new Map(load).set(version, { ...(load.get(version) ?? NONE), ...change });

/** Why nothing can begin under a version, or null when it can. */
const beginProblem = (state: BindingState, load: BindingLoad, begin: BeginInFlight): Rejection | null => {
  const { trigger_id, version, is_replay = false } = begin;
  const at = stateOf(state, version);
  if (at === null) return unknownVersion(trigger_id, version);
  if (at !== "terminated" || is_replay) return null;
  if (!load.has(version)) return unknownVersion(trigger_id, version);
  const detail = `trigger binding '${trigger_id}' version ${version} is terminated`;
  return { code: "invalid_transition", detail };
};

/** Keeps a version from ending, without counting an event (spec/triggers 6.4). */
export const pinVersion = (
  state: BindingState,
  load: BindingLoad,
  begin: BeginInFlight,
): Result<BindingLoad, Rejection> => {
  const problem = beginProblem(state, load, begin);
  if (problem !== null) return err(problem);
  const { version } = begin;
  return ok(changed(load, version, { in_flight: (load.get(version)?.in_flight ?? 0) + 1 }));
};

/** Counts an event in (spec/triggers 6.4). */
export const beginInFlight = (
  state: BindingState,
  load: BindingLoad,
  begin: BeginInFlight,
): Result<BindingLoad, Rejection> => {
  const pinned = pinVersion(state, load, begin);
  if (!pinned.ok) return pinned;
  const { version, now } = begin;
  const received = (load.get(version)?.received ?? 0) + 1;
  return ok(changed(pinned.value, version, { received, last_received_ms: now }));
};

/** Lets go of a version that was pinned. */
export const unpinVersion = (
  load: BindingLoad,
  { trigger_id, version }: VersionKey,
): Result<BindingLoad, Rejection> => {
  const found = load.get(version);
  if (found === undefined) return err(unknownVersion(trigger_id, version));
  if (found.in_flight === 0) {
    const detail = `trigger binding '${trigger_id}' version ${version} has no in-flight events`;
    return err({ code: "invalid_transition", detail });
  }
  return ok(changed(load, version, { in_flight: found.in_flight - 1 }));
};

/** Counts an event out; afterwards the versions that are idle are to be told `drained` (spec/triggers 6.4). */
export const finishInFlight = (
  load: BindingLoad,
  finish: VersionKey & { readonly outcome: LoadOutcome },
): Result<BindingLoad, Rejection> => {
  const unpinned = unpinVersion(load, finish);
  if (!unpinned.ok) return unpinned;
  const { version, outcome } = finish;
  return ok(changed(unpinned.value, version, { [outcome]: (load.get(version)?.[outcome] ?? 0) + 1 }));
};

/** The versions of a trigger that are not collected, ascending (spec/triggers 6.5). */
export const listedVersions = (state: BindingState, load: BindingLoad): readonly BindingReport[] =>
  state.status === "absent"
    ? []
    : state.versions.flatMap(({ version, source, definition, state: life }) => {
        const metrics = load.get(version);
        if (metrics === undefined) return [];
        const { provider } = definition;
        const kind = triggerKindOf(definition);
        const described = { source, kind, provider, handler_kind: handlerKindOf(definition) };
        return [{ id: state.trigger_id, version, ...described, state: life, metrics }];
      });
