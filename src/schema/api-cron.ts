import * as z from "zod";
import { time } from "./api.ts";

/** Parameters of `GET /v1/cron/next`. */
export const cronQuery = z.object({
  schedule: z.string().min(1).max(500).describe("Five fields, six with seconds, seven with years, or a nickname"),
  timezone: z.string().max(100).default("UTC").describe("An IANA name such as `America/New_York`"),
  count: z.coerce.number().int().min(1).max(100).default(5).describe("At most so many ticks, 1 to 100"),
  after: z.iso.datetime({ offset: true }).optional().describe("Ticks after this moment; now unless given"),
});

/** The answer of `GET /v1/cron/next`. */
export const cronTicksSchema = z
  .object({
    schedule: z.string(),
    timezone: z.string(),
    ticks: z
      .array(
        z.object({ at: time, local: z.string().describe("On the clocks of the zone, with their offset") }).readonly(),
      )
      .readonly()
      .describe("Fewer than asked for where the schedule ends"),
  })
  .readonly();
