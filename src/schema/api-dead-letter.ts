import * as z from "zod";
import { time } from "./api.ts";

/** A dead letter in lists (spec/triggers 12.6). */
export const deadLetterRowSchema = z
  .object({
    dlq_id: z.string(),
    event_id: z.string(),
    trigger_id: z.string(),
    binding_version: z.int().nullable(),
    provider: z.string(),
    kind: z.string(),
    state: z.enum(["pending", "resolved", "discarded"]),
    error: z.string().nullable(),
    error_class: z.string().nullable(),
    created_at: time,
    updated_at: time,
  })
  .readonly();

/** A dead letter as the list is told of it: `seq` counts up with every change of it. */
export const deadLetterChangeSchema = deadLetterRowSchema.unwrap().extend({ seq: z.int().nonnegative() }).readonly();

/** A dead letter as the list is told of it. */
export type DeadLetterChange = z.output<typeof deadLetterChangeSchema>;

/** A dead letter in lists. */
export type DeadLetterRow = z.output<typeof deadLetterRowSchema>;
