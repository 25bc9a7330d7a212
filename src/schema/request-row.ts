import * as z from "zod";

/** A request of a run to people, as the list of requests is told of it. */
export const requestRowSchema = z
  .object({
    request_id: z.string().min(1),
    run_id: z.string().min(1),
    stage_id: z.string(),
    kind: z.string(),
    agent: z.string(),
    status: z.string(),
    requested_at: z.string(),
    settled_at: z.string().nullable(),
    asking: z.string(),
  })
  .readonly();
