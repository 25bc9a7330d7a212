import { byCodePoint, isObject, type Json } from "../../lib/json.ts";

const MAX_TEXT = 80;

const MAX_KEYS = 6;

const shortText = (text: string): string => {
  if (text.length <= MAX_TEXT) return text;
  const points = Array.from(text.slice(0, 2 * MAX_TEXT + 2));
  return points.length <= MAX_TEXT ? text : `${points.slice(0, MAX_TEXT).join("")}...`;
};

/** A payload in a few words (spec/workers 21.5). */
export const payloadSummary = (payload: Json): string => {
  if (payload === null) return "nil";
  if (typeof payload === "string") return shortText(payload);
  if (Array.isArray(payload)) return `list(len=${payload.length})`;
  if (!isObject(payload)) return JSON.stringify(payload);
  const keys = Object.keys(payload).toSorted(byCodePoint);
  const shown = keys.length > MAX_KEYS ? [...keys.slice(0, MAX_KEYS), "..."] : keys;
  return `object(keys=${shown.join(",")})`;
};

/** What of a queued trigger its summary names; null or empty for what is not known. */
export interface TriggerNames {
  readonly trigger_id: string | null;
  readonly provider: string | null;
  readonly kind: string | null;
}

/** A queued trigger in a few words (spec/workers 22.3). */
export const triggerSummary = ({ trigger_id, provider, kind }: TriggerNames): string => {
  const event = [provider, kind].filter((part) => part !== null && part !== "");
  if (trigger_id === null || trigger_id === "") return event.length === 0 ? "trigger event" : event.join(".");
  return event.length === 2 ? `${trigger_id}: ${event.join(".")}` : trigger_id;
};
