import * as z from "zod";
import { json } from "./lenient.ts";

// Shapes that all of the HTTP API shares. Request schemas ignore fields they do not know.

/** Any JSON value. */
export const anyJson = json;

/** Any JSON object, taken as it is. */
export const anyObject = z.record(z.string(), json).readonly();

/** A moment, RFC 3339 in UTC. */
export const time = z.string().describe("RFC 3339 in UTC");

const MAX_ID_CHARACTERS = 200;

// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const PLAIN = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$/;

/** An id in a body: 1 to 200 characters, none of them a control character. */
export const id = z.string().min(1).max(MAX_ID_CHARACTERS).regex(PLAIN, "must not contain control characters");

/** What every list takes. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe("At most so many items, 1 to 200"),
  cursor: z.string().min(1).max(1_000).optional().describe("`next_cursor` of the page before; opaque"),
});

/** A page of a list; `next_cursor` is null on the last page. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item).readonly(), next_cursor: z.string().nullable() }).readonly();

/** A problem document (RFC 9457). */
export const problemSchema = z
  .object({
    type: z.string().describe("Address of the page about the code"),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe("What went wrong and what to do, for people"),
    code: z.string().describe("What went wrong, for programs"),
    details: anyJson.optional().describe("Facts for programs; `issues` lists each bad field with its path"),
    request_id: z.string(),
  })
  .readonly();

/** Answer of `GET /healthz`. */
export const healthSchema = z.object({ status: z.literal("ok") }).readonly();

/** Answer of `GET /v1/version`. */
export const versionSchema = z
  .object({ name: z.literal("godwit"), version: z.string(), api: z.literal("v1") })
  .readonly();
