import * as z from "zod";

const MAX_SERIES = 1_000;

/** Additions to series, as the index queue carries them. */
export const seriesListSchema = z
  .array(
    z
      .object({
        name: z.string().min(1).max(200),
        labels: z.record(z.string(), z.string()).readonly(),
        value: z.number(),
        buckets: z.array(z.number()).max(64).readonly().optional(),
      })
      .readonly(),
  )
  .max(MAX_SERIES)
  .readonly();
