import type { EventRecord } from "../../../src/engine/trigger/event.ts";
import { isFinal } from "../../../src/engine/trigger/evolve.ts";
import { maxAttempts, retryOf } from "../../../src/engine/trigger/retry.ts";
import { Violation } from "../violation.ts";
import type { SeenEvent } from "./checker.ts";

const BEGUN: ReadonlySet<string> = new Set(["dispatch_started", "dispatched", "admitted"]);

const FINAL: ReadonlySet<string> = new Set([
  "dispatched",
  "skipped",
  "intake_skipped",
  "dispatch_failed",
  "cancelled",
  "dead_lettered",
]);

const AFTER_END: ReadonlySet<string> = new Set(["dead_letter_changed", "replay_noted", "replay_ended"]);

const checkGrowth = ({ key, record, journal }: SeenEvent, before: SeenEvent | undefined): void => {
  if (before === undefined) return;
  const known = JSON.stringify(before.journal);
  if (JSON.stringify(journal.slice(0, before.journal.length)) !== known)
    throw new Violation("T3 final", `the journal of ${key} was rewritten`);
  if (isFinal(before.record) && record.status !== before.record.status)
    throw new Violation("T3 final", `${key} was ${before.record.status} and is ${record.status}`);
};

const checkOrder = ({ key, journal }: SeenEvent): void => {
  const cancel = journal.findIndex(({ type }) => type === "cancel_requested");
  const late = cancel === -1 ? undefined : journal.slice(cancel + 1).find(({ type }) => BEGUN.has(type));
  if (late !== undefined) throw new Violation("T13 cancel", `${key} was cancelled, and then ${late.type}`);
  const end = journal.findIndex(({ type }) => FINAL.has(type));
  const after = end === -1 ? undefined : journal.slice(end + 1).find(({ type }) => !AFTER_END.has(type));
  if (after !== undefined) throw new Violation("T3 final", `${key} was over, and then ${after.type}`);
};

const checkAttempts = (key: string, { attempts, binding, status }: EventRecord): void => {
  const most = maxAttempts(retryOf(binding.definition.retry));
  if (attempts.length > most) throw new Violation("T12 attempts", `${key} had ${attempts.length} attempts of ${most}`);
  if (attempts.some(({ attempt }, index) => attempt !== index + 1))
    throw new Violation("T12 attempts", `the attempts of ${key} are not numbered`);
  const good = attempts.filter(({ outcome }) => outcome === "success").length;
  if (good > (status === "dispatched" ? 1 : 0)) throw new Violation("T7 handler", `${key} went well ${good} times`);
  const open = attempts.slice(0, -1).filter(({ outcome }) => outcome === null);
  if (open.length > 0) throw new Violation("T12 attempts", `${key} began an attempt before the last one was over`);
};

const checkLetter = (key: string, { dead_letter: letter, replays, replay }: EventRecord): void => {
  if (letter === null) return;
  if (letter.history.length === 0) throw new Violation("T14 dead letter", `that of ${key} has no history`);
  if (letter.history.some(({ attempt }, index) => attempt !== index + 1))
    throw new Violation("T14 dead letter", `the history of ${key} is not numbered`);
  const went = replays.some(({ status }) => status === "dispatched" || status === "skipped");
  if (letter.state === "resolved" && replay === null && !went)
    throw new Violation("T14 dead letter", `that of ${key} was resolved by nothing`);
};

/** What has to hold of an event whenever its row has changed (T3, T7, T12, T13, T14). */
export const checkJournal = (seen: SeenEvent, before: SeenEvent | undefined): void => {
  checkGrowth(seen, before);
  checkOrder(seen);
  checkAttempts(seen.key, seen.record);
  checkLetter(seen.key, seen.record);
};
