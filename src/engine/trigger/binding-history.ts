import { handlerKindOf } from "./definition-handler.ts";
import { triggerKindOf } from "../../lib/trigger-kind.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { rfc3339, type Timestamp } from "../../lib/time.ts";
import type { NormalisedEvent } from "../../schema/trigger.ts";
import type { Rejection } from "../machine.ts";
import type { BindingState } from "./binding.ts";
import { type BindingSource, type BindingVersion, isLive, type VersionState } from "./binding-version.ts";
import { matchVerdict } from "./match.ts";

/** One step in the life of a version, complete in itself (spec/triggers 6.1). */
export interface StateTransition {
  readonly id: string;
  readonly binding_key: string;
  readonly version: number;
  readonly provider: string;
  readonly kind: string;
  readonly source: BindingSource;
  readonly handler_kind: string;
  readonly definition_fingerprint: string;
  readonly from_state: VersionState | null;
  readonly to_state: VersionState;
  readonly at: string;
}

/** Said when a version that an event was recorded with was not there any more (spec/triggers 6.3). */
export interface VersionFallback {
  readonly category: "replay.binding_version_gc_fallback";
  readonly trigger_id: string;
  readonly recorded_version: number;
  readonly received_at: string;
  readonly resolved_version: number;
}

/** A version to handle an event with. */
export interface ResolvedVersion {
  readonly binding: BindingVersion;
  readonly fallback: VersionFallback | null;
}

type Resolution<Value> = Result<Value, Rejection>;

/** The version that no state knows, or that does not handle events any more. */
export const unknownVersion = (triggerId: string, version: number): Rejection => ({
  code: "trigger_not_found",
  detail: `unknown trigger binding '${triggerId}' version ${version}`,
});

/** A time in texts: without a fraction where there is none. */
const timeText = (at: Timestamp): string => rfc3339(at).replace(/\.?0+Z$/, "Z");

const versionsOf = (state: BindingState): readonly BindingVersion[] =>
  state.status === "absent" ? [] : state.versions;

/** All that ever happened to the versions of a trigger, in order (spec/triggers 6.1). */
export const lifecycleLog = (state: BindingState): readonly StateTransition[] => {
  if (state.status === "absent") return [];
  const { trigger_id, versions, history } = state;
  const known = new Map(versions.map((one) => [one.version, one]));
  return history.flatMap(({ version, source, from_state, to_state, at }) => {
    const one = known.get(version);
    if (one === undefined) return [];
    const { id: binding_key, definition, fingerprint } = one;
    const { provider } = definition;
    const kind = triggerKindOf(definition);
    const described = { provider, kind, source, handler_kind: handlerKindOf(definition) };
    const step = { definition_fingerprint: fingerprint, from_state, to_state, at };
    return [{ id: trigger_id, binding_key, version, ...described, ...step }];
  });
};

/** The version that was active at a time, by the history (spec/triggers 6.3). */
export const versionAsOf = (state: BindingState, triggerId: string, at: Timestamp): Resolution<number> => {
  let active: number | null = null;
  for (const step of state.status === "absent" ? [] : state.history) {
    if (Date.parse(step.at) > at) continue;
    if (step.to_state === "active") active = step.version;
    else if (step.to_state !== "registering" && step.version === active) active = null;
  }
  const detail = `no active trigger binding '${triggerId}' at ${timeText(at)}`;
  return active === null ? err({ code: "trigger_not_found", detail }) : ok(active);
};

/** A version that handles events, the newest one unless told which; a draining one does (spec/triggers 6.3). */
export const resolveLive = (
  state: BindingState,
  triggerId: string,
  version: number | null = null,
): Resolution<BindingVersion> => {
  const live = versionsOf(state).filter(isLive);
  const found = version === null ? live.at(-1) : live.find((one) => one.version === version);
  if (found !== undefined) return ok(found);
  const detail = `unknown trigger id '${triggerId}'`;
  return err(version === null ? { code: "trigger_not_found", detail } : unknownVersion(triggerId, version));
};

/** The version that was active at a time; its definition is kept for ever (spec/triggers 25, decision 20). */
export const resolveAsOf = (state: BindingState, triggerId: string, at: Timestamp): Resolution<BindingVersion> => {
  const version = versionAsOf(state, triggerId, at);
  if (!version.ok) return version;
  const found = versionsOf(state).find((one) => one.version === version.value);
  return found === undefined ? err(unknownVersion(triggerId, version.value)) : ok(found);
};

/** The version an event was recorded with while it is live, else the one that was active when the event came (spec/triggers 6.3). */
export const resolveLiveOrAsOf = (
  state: BindingState,
  triggerId: string,
  recorded: { readonly version: number | null; readonly received_at: Timestamp },
): Resolution<ResolvedVersion> => {
  const live = resolveLive(state, triggerId, recorded.version);
  if (live.ok) return ok({ binding: live.value, fallback: null });
  if (recorded.version === null) return live;
  const past = resolveAsOf(state, triggerId, recorded.received_at);
  if (!past.ok) return past;
  const fallback: VersionFallback = {
    category: "replay.binding_version_gc_fallback",
    trigger_id: triggerId,
    recorded_version: recorded.version,
    received_at: timeText(recorded.received_at),
    resolved_version: past.value.version,
  };
  return ok({ binding: past.value, fallback });
};

const byIdAndVersion = (
  left: { readonly id: string; readonly version: number },
  right: { readonly id: string; readonly version: number },
): number => (left.id === right.id ? left.version - right.version : left.id < right.id ? -1 : 1);

/** The versions that an event which names no trigger goes to, by id and version (spec/triggers 6.3). */
export const matchingBindings = (
  states: Iterable<BindingState>,
  event: Pick<NormalisedEvent, "provider" | "kind" | "provider_payload">,
): readonly { readonly id: string; readonly version: number }[] =>
  [...states]
    .flatMap((state) => {
      if (state.status !== "active") return [];
      const { trigger_id: id, current, definition } = state;
      const isMatch =
        definition.provider === event.provider && matchVerdict(definition.match, event).outcome === "passed";
      return isMatch ? [{ id, version: current.version }] : [];
    })
    .toSorted(byIdAndVersion);
