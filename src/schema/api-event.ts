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
  })
  .readonly();
