import canonicalize from "canonicalize";

/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json };

/** True for a plain JSON object (not null, not an array). */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const encoder = new TextEncoder();

/** Length of a text in UTF-8 bytes. */
export const byteLength = (text: string): number => encoder.encode(text).byteLength;

/** Canonical JSON (RFC 8785): the same text for equal values, whatever the order of their keys. */
export const canonicalJson = (value: Json): string => canonicalize(value) ?? "null";

/** Orders texts by code point, the only order stored or sent data may rely on. */
export const byCodePoint = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The value at a dotted path (`a.b.0.c`), or undefined when any step is missing. */
export const valueAt = (value: Json | undefined, path: string): Json | undefined => {
  let current: Json | undefined = value;
  for (const key of path.split(".")) {
    if (Array.isArray(current)) current = current[Number(key)] as Json | undefined;
    else if (isObject(current) && Object.hasOwn(current, key)) current = current[key];
    else return undefined;
  }
  return current;
};
