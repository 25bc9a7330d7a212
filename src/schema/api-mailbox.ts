import * as z from "zod";
import { anyJson, id, time } from "./api.ts";

/** How long a request waits for the response to an update, unless it says otherwise. */
export const MAX_UPDATE_WAIT_MS = 30_000;

const payload = anyJson.optional().describe("Any JSON, at most 128 KiB; null without it");
const value = anyJson.optional().describe("Any JSON, at most 128 KiB; null without it");

/** Body of `POST .../signal`. */
export const signalSchema = z.object({ name: id, payload }).readonly();

/** Body of `POST .../update`. */
export const updateSchema = z
  .object({
    name: id,
    payload,
    timeout_ms: z
      .int()
      .min(0)
      .max(MAX_UPDATE_WAIT_MS)
      .default(MAX_UPDATE_WAIT_MS)
      .describe("How long to wait for the response; 0: not at all"),
    wait: z.boolean().default(true).describe("false: answer 202 at once, and read the response later"),
  })
  .readonly();

/** Body of `POST .../respond`. */
export const respondSchema = z
  .object({ request_id: id, value, name: id.optional().describe("The name of the update") })
  .readonly();

/** Body of `PUT .../queries/{name}`. */
export const publishQuerySchema = z.object({ value }).readonly();

const kind = z.enum(["signal", "update", "control"]);

const message = z.object({
  seq: z.int().describe("Counts up for each mailbox"),
  kind,
  name: z.string(),
  request_id: z.string().nullable().describe("Under which an update is answered"),
  payload: anyJson,
  enqueued_at: time,
});

/** Where a mailbox stands (spec/workflow 13). */
export const mailboxStatusSchema = z
  .object({
    workflow_id: z.string(),
    base_dir: z.string().nullable(),
    generation: z.int(),
    paused: z.boolean(),
    pending_count: z.int().describe("Messages in the queue"),
    query_count: z.int(),
    response_count: z.int(),
    continue_as_new_count: z.int(),
    last_continue_as_new_at: time.nullable(),
    delivering_count: z.int().describe("Messages on their way to a stage"),
    subscriber_count: z.int().describe("Stages that wait for a message"),
  })
  .readonly();

/** A message that was put into the queue. */
export const enqueuedSchema = z
  .object({ workflow_id: z.string(), message: message.readonly(), status: mailboxStatusSchema })
  .readonly();

/** The oldest message of the queue; null when it was empty. */
export const receivedSchema = z.object({ workflow_id: z.string(), message: message.readonly().nullable() }).readonly();

/** What has become of an update. */
export const updateViewSchema = z
  .object({
    workflow_id: z.string(),
    request_id: z.string(),
    status: z.enum(["answered", "pending"]),
    value: anyJson.describe("The response; null while there is none"),
    responded_at: time.nullable(),
  })
  .readonly();

/** The last value published under a name; null when there is none. */
export const queryViewSchema = z
  .object({ workflow_id: z.string(), name: z.string(), value: anyJson, published_at: time.nullable() })
  .readonly();
