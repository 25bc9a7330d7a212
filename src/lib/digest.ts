import { canonicalJson, type Json } from "./json.ts";

/**
 * A 106-bit digest of a value, the same for equal values whatever the order of their keys.
 *
 * It tells an accidental difference between two requests apart; it is no protection against an attacker.
 */
export const digestOf = (value: Json): string => {
  const text = canonicalJson(value);
  return hash53(text, 0) + hash53(text, 0x9e3779b9);
};

// cyrb53: two 32-bit multiplicative hashes, mixed at the end.
const hash53 = (text: string, seed: number): string => {
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36).padStart(11, "0");
};
