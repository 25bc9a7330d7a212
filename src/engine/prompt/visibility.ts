import { isObject, type Json } from "../../lib/json.ts";
import { isToolRole, roleOf } from "../transcript/message.ts";

const isToolResult = (message: Json): boolean => isObject(message) && isToolRole(roleOf(message));

const isHidden = (event: Json): boolean => {
  const visibility = isObject(event) ? event["visibility"] : undefined;
  return visibility !== undefined && visibility !== null && visibility !== "public";
};

/**
 * The transcript a stage shows (spec/workflow 14.6).
 *
 * `public` and `public_only` leave out tool results and events that are not public; any other value changes nothing.
 */
export const redactTranscript = (transcript: Json, visibility: string | null): Json => {
  if (visibility !== "public" && visibility !== "public_only") return transcript;
  if (!isObject(transcript)) return transcript;
  const redacted: Record<string, Json> = { ...transcript };
  const { messages, events } = transcript;
  if (Array.isArray(messages)) redacted["messages"] = messages.filter((message: Json) => !isToolResult(message));
  if (Array.isArray(events)) redacted["events"] = events.filter((event: Json) => !isHidden(event));
  return redacted;
};
