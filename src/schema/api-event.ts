import * as z from "zod";
import { time } from "./api.ts";

/** An accepted event in lists. */
export const eventRowSchema = z
  .object({
    event_id: z.string(),
    trigger_id: z.string(),
    provider: z.string(),
    kind: z.string(),
    dedupe_key: z.string(),
    status: z.string(),
    run_id: z.string().nullable(),
    receipt: z.string().nullable(),
    error: z.string().nullable(),
    received_at: time,
    updated_at: time,
    binding_version: z.int().nullish().describe("The version of the trigger that accepted the event"),
    attempt_count: z.int().nullish().describe("Attempts to dispatch the event"),
    skip_stage: z.string().nullish().describe("What skipped the event, such as `match`, `predicate` or `flow_control`"),
    error_class: z.string().nullish().describe("Class of the error, such as `handler_timeout`"),
    settled_at: time.nullish().describe("When the event reached its last status"),
    shard: z.int().nullish().describe("The object that holds it, where the trigger has several"),
    replay_of: z.string().nullish().describe("The event that this one replays"),
  })
  .readonly();
