import * as z from "zod";
import { json } from "./lenient.ts";

/** Where a transcript stands (spec/workflow 14.1). */
export const transcriptStateSchema = z.enum(["active", "paused", "forked", "archived", "abandoned"]);

/** Where a transcript stands (spec/workflow 14.1). */
export type TranscriptState = z.output<typeof transcriptStateSchema>;

const visibilitySchema = z.enum(["public", "internal", "private"]);

/** Who may see a block or an event (spec/workflow 14.1). */
export type Visibility = z.output<typeof visibilitySchema>;

const jsonObject = z.record(z.string(), json).readonly();

/** One event of a transcript; the first ones mirror its messages (spec/workflow 14.1). */
export const transcriptEventSchema = z
  .object({
    id: z.string(),
    kind: z.string(),
    role: z.string(),
    visibility: visibilitySchema,
    text: z.string(),
    blocks: z.array(jsonObject).readonly(),
    metadata: jsonObject.exactOptional(),
  })
  .readonly();

/** One event of a transcript; the first ones mirror its messages (spec/workflow 14.1). */
export type TranscriptEvent = z.output<typeof transcriptEventSchema>;

/** Something large that a transcript refers to (spec/workflow 14.1). */
export const transcriptAssetSchema = z
  .object({
    _type: z.literal("transcript_asset"),
    id: z.string(),
    kind: z.string(),
    visibility: visibilitySchema,
    data: json.exactOptional(),
    metadata: jsonObject.exactOptional(),
  })
  .readonly();

/** Something large that a transcript refers to (spec/workflow 14.1). */
export type TranscriptAsset = z.output<typeof transcriptAssetSchema>;

/** A conversation as records and the API show it (spec/workflow 14.1). */
export const transcriptValueSchema = z
  .object({
    _type: z.literal("transcript"),
    version: z.literal(2),
    id: z.string(),
    messages: z.array(jsonObject).readonly(),
    events: z.array(transcriptEventSchema).readonly(),
    assets: z.array(transcriptAssetSchema).readonly(),
    summary: z.string().exactOptional(),
    metadata: jsonObject.exactOptional(),
    state: transcriptStateSchema.exactOptional(),
  })
  .readonly();

/** A conversation as records and the API show it (spec/workflow 14.1). */
export type Transcript = z.output<typeof transcriptValueSchema>;
