import type { JsonObject } from "../../lib/json.ts";
import type {
  Transcript,
  TranscriptAsset,
  TranscriptEvent,
  TranscriptState,
  Visibility,
} from "../../schema/transcript.ts";
import { blocksOf, type Message, roleOf, textOfBlocks, visibilityOf } from "./message.ts";

/** What a transcript is made of; everything but the id may be left out. */
export interface TranscriptParts {
  readonly id: string;
  readonly messages?: readonly Message[];
  readonly extra_events?: readonly TranscriptEvent[];
  readonly assets?: readonly TranscriptAsset[];
  readonly summary?: string | null;
  readonly metadata?: JsonObject;
  readonly state?: TranscriptState;
}

/** The event that mirrors a message; its id follows from the transcript and the message's place (spec/workflow 14.1). */
export const messageEvent = (message: Message, id: string): TranscriptEvent => {
  const role = roleOf(message);
  const blocks = blocksOf(message);
  return {
    id,
    kind: role === "tool_result" ? "tool_result" : "message",
    role,
    visibility: visibilityOf(message),
    text: textOfBlocks(blocks),
    blocks,
  };
};

/** A transcript value: its events are the mirror of its messages and then the extra ones (spec/workflow 14.1). */
export const makeTranscript = (parts: TranscriptParts): Transcript => {
  const { id, messages = [], extra_events: extra = [], assets = [], summary, metadata, state } = parts;
  return {
    _type: "transcript",
    version: 2,
    id,
    messages,
    events: [...messages.map((message, index) => messageEvent(message, `${id}:message:${index}`)), ...extra],
    assets,
    ...(summary == null ? {} : { summary }),
    ...(metadata === undefined || Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(state === undefined ? {} : { state }),
  };
};

/** An asset of a transcript with the defaults of spec/workflow 14.1. */
export const makeAsset = (
  parts: Pick<TranscriptAsset, "id"> & Partial<Omit<TranscriptAsset, "id" | "_type">>,
): TranscriptAsset => ({
  _type: "transcript_asset",
  kind: "blob",
  visibility: "internal",
  ...parts,
});

/** An event beside the messages, such as a compaction (spec/workflow 14.1). */
export const extraEvent = (
  kind: string,
  parts: {
    readonly id: string;
    readonly text: string;
    readonly role?: string;
    readonly visibility?: Visibility;
    readonly metadata?: JsonObject;
  },
): TranscriptEvent => {
  const { id, text, role = "system", visibility = "internal", metadata } = parts;
  return {
    id,
    kind,
    role,
    visibility,
    text,
    blocks: text === "" ? [] : [{ type: "text", text, visibility }],
    ...(metadata === undefined ? {} : { metadata }),
  };
};
