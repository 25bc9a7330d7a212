import * as z from "zod";
import { id } from "./api.ts";

/** Body of `POST /v1/workers/suspend_all`. */
export const suspendAllSchema = z
  .object({
    reason: z.string().max(2_000).default(""),
    worker_ids: z
      .array(id)
      .max(200)
      .readonly()
      .optional()
      .describe("Only these; otherwise every one that the list knows"),
    after: z.string().default("").describe("`next` of the answer before"),
  })
  .readonly();

/** Answer of `POST /v1/workers/suspend_all`. */
export const suspendedAllSchema = z
  .object({
    items: z
      .array(
        z
          .object({
            worker_id: z.string(),
            outcome: z.enum(["suspended", "already_suspended", "not_running", "unknown"]),
          })
          .readonly(),
      )
      .readonly(),
    next: z.string().nullable().describe("`after` of the next call; null when all were told"),
  })
  .readonly();
