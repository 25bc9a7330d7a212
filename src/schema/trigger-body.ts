import * as z from "zod";

/** Days that raw bodies can be kept for: each has its own rule in the bucket that deletes them (docs/deploy.md). */
const RETENTION_DAYS = [0, 1, 7, 30, 90, 365] as const;

/** How long raw bodies are kept unless the trigger says otherwise. */
export const DEFAULT_RETENTION_DAYS = 30;

/** Definition key `body_retention_days`: how long the exact bytes of deliveries are kept; 0 keeps none. */
export const bodyRetentionSchema = z.literal(RETENTION_DAYS, {
  error: `must be one of ${RETENTION_DAYS.join(", ")}`,
});

/** Where the exact bytes of a delivery lie that are too long for the event's row. */
export const rawBodyRefSchema = z
  .object({
    /** `bodies/<days>/<tenant>/<sha256>` in the bucket. */
    key: z.string(),
    size: z.int().describe("In bytes"),
    sha256: z.string(),
  })
  .readonly();

/** Where the exact bytes of a delivery lie. */
export type RawBodyRef = z.output<typeof rawBodyRefSchema>;

const DAY_MS = 86_400_000;

/** Whether the time is over for which the bytes of a delivery are kept. */
export const isBodyStale = (
  {
    received_at: at,
    body_retention_days: days = DEFAULT_RETENTION_DAYS,
  }: {
    readonly received_at: string;
    readonly body_retention_days?: number | undefined;
  },
  now: number,
): boolean => now >= Date.parse(at) + days * DAY_MS;
