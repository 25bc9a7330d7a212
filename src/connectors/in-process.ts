import type { Json, JsonObject } from "../lib/json.ts";
import { err } from "../lib/result.ts";
import { rfc3339, type Timestamp } from "../lib/time.ts";
import { fieldOf, textOrNull } from "./body.ts";
import type { Connector } from "./connector.ts";
import { unsupported } from "./webhook-error.ts";

const inProcess = (provider: string, message: string): Connector => ({
  provider,
  style: () => "none",
  needsSecret: () => false,
  verify: async () => err(unsupported(message)),
  normalise: async () => err(unsupported(message)),
});

/** Schedules: nothing comes in from outside (spec/triggers 4.5, 18). */
export const cron = inProcess("cron", "cron is an in-process scheduler and does not accept inbound payloads");

/** Events that are made by hand: nothing comes in from outside. */
export const manual = inProcess("manual", "manual events are fired through the API and not by inbound payloads");

/** A tick of a schedule in the typed form (spec/triggers 4.2). */
export const cronPayload = (raw: Json, now: Timestamp): JsonObject => ({
  provider: "cron",
  cron_id: textOrNull(fieldOf(raw, "cron_id")),
  schedule: textOrNull(fieldOf(raw, "schedule")),
  tick_at: textOrNull(fieldOf(raw, "tick_at")) ?? rfc3339(now),
  raw,
});
