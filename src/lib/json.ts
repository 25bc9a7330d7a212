/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json };

/** True for a plain JSON object (not null, not an array). */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Length of a text in UTF-8 bytes; a lone surrogate counts as the three bytes of its replacement character. */
export const byteLength = (text: string): number => {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    bytes += code < 0x800 ? 1 : 2;
    const next = text.charCodeAt(i + 1);
    if (code >= 0xd800 && code < 0xdc00 && next >= 0xdc00 && next < 0xe000) i++;
  }
  return bytes;
};

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

/**
 * Canonical JSON (RFC 8785): the same text for equal values, whatever the order of their keys.
 *
 * Total where the RFC is not: a lone surrogate is written as its escape and a number that JSON cannot carry as null, so
 * that no input can make it throw. Nesting is bounded by whoever lets a value in.
 */
export const canonicalJson = (value: Json): string => {
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonicalJson).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? "null";
  const members: string[] = [];
  for (const key of Object.keys(value).toSorted(byCodePoint)) {
    const member = value[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(",")}}`;
};
