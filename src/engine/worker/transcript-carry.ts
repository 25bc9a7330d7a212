import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { TranscriptEvent } from "../../schema/transcript.ts";
import type { Context } from "../machine.ts";
import type { CompactionSettings } from "../transcript/compaction-settings.ts";
import { truncateSummary } from "../transcript/compaction-summary.ts";
import { messagesAfter, planCompaction } from "../transcript/compaction.ts";
import type { Message } from "../transcript/message.ts";
import { makeTranscript, messageEvent } from "../transcript/transcript.ts";

const KEPT_MESSAGES = 2;

const SETTINGS: CompactionSettings = {
  keep_first: 0,
  keep_last: KEPT_MESSAGES,
  token_threshold: 0,
  tool_output_max_chars: 0,
  strategy: "truncate",
  hard_limit_tokens: null,
  hard_limit_strategy: "truncate",
  summarize_prompt: null,
  custom_compactor: null,
  mask_callback: null,
};

const listOf = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : [];

const messagesOf = (transcript: JsonObject): readonly Message[] => listOf(transcript["messages"]);

const idOf = (transcript: JsonObject): string => (typeof transcript["id"] === "string" ? transcript["id"] : "");

const forked = (transcript: Json, context: Pick<Context, "nextId">): Json => {
  if (!isObject(transcript)) return transcript;
  const id = idOf(transcript);
  const known = isObject(transcript["metadata"]) ? transcript["metadata"] : {};
  const metadata = id === "" ? known : { ...known, parent_transcript_id: id };
  const shown = id === "" && !isObject(transcript["metadata"]) ? {} : { metadata };
  return { ...transcript, id: context.nextId(""), ...shown };
};

/** What a worker's next cycle knows of the conversation so far; null for nothing (spec/workers 4). */
export const carryTranscript = (
  transcript: Json,
  mode: string,
  context: Pick<Context, "nextId">,
): Result<Json, string> => {
  switch (mode) {
    // A conversation is compacted when its cycle ends, so there is nothing left to do where the next one begins.
    case "":
    case "inherit":
    case "compact":
      return ok(transcript);
    case "reset":
      return ok(null);
    case "fork":
      return ok(forked(transcript, context));
    default:
      return err(`worker transcript policy: unknown transcript_mode \`${mode}\``);
  }
};

/**
 * The transcript of a cycle that has ended, as the mode `compact` keeps it: a summary and the last two messages, from a message
 * of the user on. Events beside the messages stay (spec/workers 4, 9.8).
 */
export const compactedTranscript = (transcript: Json): Json => {
  if (!isObject(transcript)) return transcript;
  const messages = messagesOf(transcript);
  const step = planCompaction(messages, SETTINGS, "manual");
  if (step.type !== "done") return transcript;
  const kept = messagesAfter(messages, step.compaction);
  const id = idOf(transcript);
  const mirrored: readonly TranscriptEvent[] = kept.map((message, index) =>
    messageEvent(message, `${id}:message:${index}`),
  );
  const beside = listOf(transcript["events"]).slice(messages.length);
  return {
    ...transcript,
    messages: kept,
    events: [...(mirrored as unknown as readonly JsonObject[]), ...beside],
    summary: step.compaction.summary,
  };
};

/** What a conversation comes to where it is not to go on: its summary, or the beginnings of its messages (spec/workers 17.5). */
export const digestOf = (transcript: Json): string | null => {
  if (!isObject(transcript)) return null;
  const { summary } = transcript;
  if (typeof summary === "string" && summary.trim() !== "") return summary;
  const messages = messagesOf(transcript);
  return messages.length === 0 ? null : truncateSummary(messages, messages.length);
};

/** The conversation that begins with a digest of the one before; null where there is no digest (spec/workers 17.5). */
export const reducedTranscript = (transcript: Json, digest: string | null): Json => {
  if (digest === null) return null;
  const before = isObject(transcript) ? transcript : {};
  return makeTranscript({
    id: idOf(before),
    messages: [{ role: "user", content: digest }],
    summary: digest,
    ...(isObject(before["metadata"]) ? { metadata: before["metadata"] } : {}),
  }) as unknown as JsonObject;
};
