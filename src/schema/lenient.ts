import * as z from "zod";
import type { Json } from "../lib/json.ts";

// Lenient decoding (spec/workflow 0.1): a missing field gets its default, an unknown field is ignored, and an explicit
// null is an error unless the field is optional.

/** Any JSON value, taken as it is and never copied. */
export const json = z.any() as unknown as z.ZodType<Json>;

/** A text that is empty when missing. */
export const text = z.string().default("");

/** A text, or null when missing. */
export const optionalText = z.string().nullable().default(null);

/** A whole number, or null when missing. */
export const optionalInt = z.number().int().nullable().default(null);

/** A whole number not below zero, or null when missing. */
export const optionalUint = z.number().int().nonnegative().nullable().default(null);

/** A number, or null when missing. */
export const optionalNumber = z.number().nullable().default(null);

/** A whole number not below zero that is 0 when missing. */
export const uint = z.number().int().nonnegative().default(0);

/** A number that is 0 when missing. */
export const number = z.number().default(0);

/** A truth value that is false when missing. */
export const flag = z.boolean().default(false);

/** Any JSON value, or null when missing. */
export const optionalJson = json.nullable().default(null);

/** A list of texts that is empty when missing. */
export const texts = z.array(z.string()).readonly().default([]);

/** A JSON object that is empty when missing. */
export const jsonMap = z.record(z.string(), json).readonly().default({});

/** A list that is empty when missing. */
export const listOf = <Item extends z.ZodType>(item: Item) => z.array(item).readonly().prefault([]);
