import { err, ok, type Result } from "../../lib/result.ts";
import { rfc3339, type Timestamp } from "../../lib/time.ts";
import type { Rejection } from "../machine.ts";
import type { BindingState } from "./binding.ts";
import { resolveAsOf, resolveLiveOrAsOf, unknownVersion, type VersionFallback } from "./binding-history.ts";
import type { EventRecord } from "./event.ts";

/** Under which version an event is to be replayed; without either under the one it was recorded with (spec/triggers 23). */
export interface ReplayVersion {
  readonly version?: number | undefined;
  readonly as_of?: Timestamp | undefined;
}

/** The version a replay runs under, with a warning where the recorded one could not be had. */
export interface ResolvedReplay {
  readonly version: number;
  readonly as_of: string | null;
  readonly fallback: VersionFallback | null;
}

const refused = (detail: string, path?: string): Result<never, Rejection> =>
  err({
    code: "invalid_request",
    detail,
    ...(path === undefined ? {} : { details: { issues: [{ path, message: detail }] } }),
  });

/** The version that a replay of an event runs under; a version that has ended may be named (spec/triggers 23). */
export const replayVersion = (
  state: BindingState,
  { binding, event }: Pick<EventRecord, "binding" | "event">,
  { version, as_of: at }: ReplayVersion,
): Result<ResolvedReplay, Rejection> => {
  const { trigger_id: id } = binding;
  if (version !== undefined) {
    const isKnown = state.status !== "absent" && state.versions.some((one) => one.version === version);
    return isKnown
      ? ok({ version, as_of: null, fallback: null })
      : refused(unknownVersion(id, version).detail, "version");
  }
  if (at !== undefined) {
    const past = resolveAsOf(state, id, at);
    const as_of = rfc3339(at);
    return past.ok
      ? ok({ version: past.value.version, as_of, fallback: null })
      : refused(`failed to resolve binding '${id}' as of ${as_of}: ${past.error.detail}`, "as_of");
  }
  const recorded = { version: binding.version, received_at: Date.parse(event.received_at) };
  const live = resolveLiveOrAsOf(state, id, recorded);
  if (!live.ok) return refused(live.error.detail);
  return ok({ version: live.value.binding.version, as_of: null, fallback: live.value.fallback });
};
