import * as z from "zod";
import { anyJson, anyObject, id } from "./api.ts";
import { transcriptStateSchema, transcriptValueSchema } from "./transcript.ts";

/** Body of `POST .../sessions`. */
export const openSessionSchema = z
  .object({ session_id: id.optional().describe("Without it the server chooses one") })
  .readonly();

const target = id.optional().describe("The id of the copy; without it the server chooses one");

/** Body of `POST .../fork`. */
export const forkSessionSchema = z.object({ target_id: target }).readonly();

/** Body of `POST .../fork_at`. */
export const forkSessionAtSchema = z
  .object({ keep_first: z.int().describe("How many messages the copy keeps"), target_id: target })
  .readonly();

/** Body of `POST .../trim`. */
export const trimSessionSchema = z.object({ keep_last: z.int().describe("How many messages stay") }).readonly();

/** Body of `POST .../inject`. */
export const injectMessageSchema = z.object({ message: anyJson.describe("`{role, content}`") }).readonly();

/** Body of `POST .../compact`. */
export const compactSessionSchema = z
  .object({
    options: anyObject.default({}).describe("Options of the compaction (spec/workflow 14.3)"),
    answers: z.array(anyJson).max(2).readonly().optional().describe("Answers to what the compaction asked, in order"),
    expected_length: z.int().min(0).optional().describe("`length` of the answer that asked"),
  })
  .readonly();

const askSchema = z
  .object({
    type: z.enum(["model", "custom", "mask"]),
    prompt: z.string().optional(),
    function: z.string().optional(),
    messages: z.array(anyObject).readonly().optional(),
  })
  .readonly();

/** Answer of every operation on a session. */
export const sessionReplySchema = z
  .object({
    session_id: z.string(),
    length: z.int().describe("Messages of the session now"),
    ask: askSchema.optional().describe("Nothing was done yet: repeat the request with the answer to this"),
  })
  .readonly();

/** The sessions of a run, ordered by id. */
export const sessionListSchema = z
  .object({
    items: z
      .array(
        z
          .object({
            session_id: z.string(),
            state: transcriptStateSchema,
            length: z.int(),
            estimated_tokens: z.int(),
            parent_id: z.string().nullable(),
            child_ids: z.array(z.string()).readonly(),
          })
          .readonly(),
      )
      .readonly(),
  })
  .readonly();

/** Query of `GET .../sessions/{session_id}`. */
export const sessionQuery = z.object({
  visibility: z.enum(["public", "all"]).default("all").describe("public: without tool results and internal events"),
});

/** A session's transcript with its lineage (spec/workflow 14.3). */
export const sessionSnapshotSchema = transcriptValueSchema.unwrap().extend({
  parent_id: z.string().nullable(),
  child_ids: z.array(z.string()).readonly(),
  branched_at_event_index: z.int().nullable(),
  root_id: z.string(),
});
