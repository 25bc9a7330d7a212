import * as z from "zod";
import { anyJson, pageOf, time } from "./api.ts";

/** Body of `PUT /v1/assets/{name}`. */
export const putAssetSchema = z
  .object({ content: anyJson.describe("Any JSON, at most 256 KiB; a verification contract is an object") })
  .readonly();

/** An asset in lists. */
export const assetRowSchema = z
  .object({
    name: z.string(),
    hash: z.string().describe("SHA-256 of the canonical JSON"),
    size: z.int().describe("In bytes"),
    created_at: time,
    updated_at: time,
  })
  .readonly();

/** An asset in lists. */
export type AssetRow = z.output<typeof assetRowSchema>;

/** An asset with its content. */
export const assetSchema = assetRowSchema.unwrap().extend({ content: anyJson }).readonly();

/** A page of assets, in the order of their names. */
export const assetPageSchema = pageOf(assetRowSchema);
