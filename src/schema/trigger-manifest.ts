import * as z from "zod";

/** Most triggers of a manifest, after its sources were spread out: each is an object that has to be asked. */
export const MAX_MANIFEST_TRIGGERS = 200;

/** The body of `PUT /v1/manifest`; each trigger is a definition with its id, and may have `sources` (spec/triggers 5.6). */
export const manifestSchema = z
  .object({
    triggers: z
      .array(z.looseObject({ id: z.string().default("") }).readonly())
      .max(MAX_MANIFEST_TRIGGERS)
      .readonly(),
    dry_run: z.boolean().default(false).describe("Says what would change and changes nothing"),
  })
  .readonly();

/** A manifest as its owner writes it. */
export type Manifest = z.output<typeof manifestSchema>;

const ids = z.array(z.string()).readonly();

/** What putting a manifest changed, by trigger id (spec/triggers 6.6). */
export const manifestSummarySchema = z
  .object({ added: ids, modified: ids, removed: ids, unchanged: ids, dry_run: z.boolean() })
  .readonly();

/** What putting a manifest changed. */
export type ManifestSummary = z.output<typeof manifestSummarySchema>;

/** The answer of `GET /v1/manifest`: the triggers that a manifest put, as they are stored. */
export const manifestViewSchema = z
  .object({ triggers: z.array(z.looseObject({ id: z.string() }).readonly()).readonly() })
  .readonly();
