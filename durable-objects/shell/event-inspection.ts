import { type Answer, reject } from "../../src/engine/machine.ts";
import { type ReplayReport, replayReport } from "../../src/engine/trigger/drift.ts";
import type { LogRecord } from "../../src/engine/trigger/log.ts";
import { replayVersion, type ReplayVersion } from "../../src/engine/trigger/replay-version.ts";
import type { VersionFallback } from "../../src/engine/trigger/binding-history.ts";
import { eventView } from "../../src/engine/trigger/view.ts";
import type { EventView } from "../../src/schema/trigger-event.ts";
import { replayKey } from "./keyed-events.ts";
import type { EventAnswer, ReplayRequest } from "./trigger-requests.ts";
import type { TriggerShell } from "./trigger-shell.ts";

/** One event of a trigger, or one of its replays. */
export interface EventAddress {
  readonly key: string;
  readonly event_id: string;
  /** Of a replay its number. */
  readonly replay?: number | undefined;
}

/** What a replay is asked for with; its version is found where the versions are (spec/triggers 23). */
export type ReplayAsk = Omit<ReplayRequest, "version" | "as_of"> & ReplayVersion;

/** What became of a request for a replay. */
export interface ReplayMade {
  readonly answer: EventAnswer;
  readonly number: number;
  readonly binding_version: number;
  readonly fallback: VersionFallback | null;
}

const unknownEvent = reject("event_not_found", "there is no such event");

const rowOf = ({ key, replay }: EventAddress): string => (replay === undefined ? key : replayKey(key, replay));

/** Replays an event under the version that the request names, was recorded, or was active at a time (spec/triggers 23). */
export const replayEvent = (
  shell: TriggerShell,
  { key, event_id: eventId }: EventAddress,
  { version, as_of, ...ask }: ReplayAsk,
): Answer<ReplayMade> => {
  const found = shell.event(key, eventId);
  if (found === null) return unknownEvent;
  const { dlq_id: dlqId } = ask;
  // A dead letter is tried again by one replay at a time: asking meanwhile is the same request.
  const { replays } = found.record;
  const open = replays.find((one) => dlqId !== null && one.dlq_id === dlqId && one.settled_at === null);
  const isKnown = replays.some((one) => one.request_id === ask.request_id);
  const request_id = isKnown ? ask.request_id : (open?.request_id ?? ask.request_id);
  const resolved = replayVersion(shell.state, found.record, { version, as_of });
  if (!resolved.ok) return { ok: false, rejection: resolved.error };
  const { fallback, ...under } = resolved.value;
  const made = shell.replay(key, { ...ask, ...under, ...(request_id === undefined ? {} : { request_id }) });
  if (!made.ok) return made;
  const { binding, replay } = made.reply.record;
  return {
    ok: true,
    reply: { answer: made.reply, number: replay?.number ?? 0, binding_version: binding.version, fallback },
  };
};

/** What the event log says of an event or a replay (spec/triggers 3); null when there is none. */
export const eventLogOf = (shell: TriggerShell, address: EventAddress): readonly LogRecord[] | null => {
  const key = rowOf(address);
  return shell.event(key, address.event_id) === null ? null : shell.eventLog(key);
};

/** A replay beside its original (spec/triggers 23); null when there is none. */
export const replayOf = (
  shell: TriggerShell,
  address: EventAddress & { readonly replay: number },
): { readonly record: EventView; readonly report: ReplayReport } | null => {
  const original = shell.event(address.key, address.event_id);
  const replayed = shell.event(rowOf(address), address.event_id);
  if (original === null || replayed === null) return null;
  return { record: eventView(replayed.record), report: replayReport(original.record, replayed.record) };
};
