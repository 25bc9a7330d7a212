import type { Json, JsonObject } from "../lib/json.ts";
import { fieldOf, firstText, pathOf, textOrNull } from "./body.ts";

const MESSAGE = ["subtype", "channel_type", "channel", "user", "text", "ts", "thread_ts"] as const;

/** Keys of the inner event that are lifted into the payload (spec/triggers 4.2). */
const LIFTED: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ["message", MESSAGE],
  ["app_mention", ["channel", "user", "text", "ts", "thread_ts"]],
  ["reaction_added", ["reaction", "item_user", "item"]],
  ["app_home_opened", ["user", "channel", "tab", "view"]],
  ["assistant_thread_started", ["assistant_thread", "thread_ts", "context"]],
]);

const channelIn = (event: Json | undefined, raw: Json): string | null =>
  firstText(
    fieldOf(event, "channel"),
    pathOf(event, "item", "channel"),
    pathOf(event, "channel", "id"),
    pathOf(event, "assistant_thread", "channel_id"),
    fieldOf(raw, "channel_id"),
    pathOf(raw, "channel", "id"),
  );

const userIn = (event: Json | undefined, raw: Json): string | null =>
  firstText(
    fieldOf(event, "user"),
    pathOf(event, "user", "id"),
    fieldOf(event, "item_user"),
    pathOf(event, "assistant_thread", "user_id"),
    fieldOf(raw, "user_id"),
    pathOf(raw, "user", "id"),
  );

/** A Slack body in the typed form; commands and interactions say who and where outside of an `event` (spec/triggers 4.2). */
export const slackPayload = (kind: string, raw: Json): JsonObject => {
  const event = fieldOf(raw, "event");
  const payload: Record<string, Json> = {
    provider: "slack",
    event: kind,
    event_id: textOrNull(fieldOf(raw, "event_id")),
    api_app_id: textOrNull(fieldOf(raw, "api_app_id")),
    team_id: firstText(fieldOf(raw, "team_id"), pathOf(raw, "team", "id")),
    channel_id: channelIn(event, raw),
    user_id: userIn(event, raw),
    event_ts: textOrNull(fieldOf(event, "event_ts")),
    raw,
  };
  const thread = fieldOf(event, "assistant_thread");
  for (const key of LIFTED.get(kind.startsWith("message.") ? "message" : kind) ?? [])
    payload[key] = fieldOf(event, key) ?? fieldOf(key === "assistant_thread" ? undefined : thread, key) ?? null;
  return payload;
};
