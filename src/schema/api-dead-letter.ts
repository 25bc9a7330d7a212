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
