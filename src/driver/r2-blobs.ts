import type { BodyRef } from "../lib/body-marker.ts";
import { byteLength } from "../lib/json.ts";
import type { Blobs } from "../ports/blobs.ts";

const UTF8 = "text/plain;charset=utf-8";

/** For texts that no UTF-8 can carry, because they hold half a surrogate pair. */
const UTF16 = "text/plain;charset=utf-16le";

/** Marks stored UTF-16; it begins no UTF-8 text, so that two texts never have the same stored bytes. */
const BYTE_ORDER_MARK = 0xfeff;

/** Units that are turned into a text at once. */
const CHUNK = 8_192;

const encode = (text: string): { readonly stored: Uint8Array<ArrayBuffer>; readonly type: string } => {
  // An encoder never gives shared memory; only its type does not say so.
  if (text.isWellFormed()) return { stored: new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>, type: UTF8 };
  const units = new Uint16Array(text.length + 1);
  units[0] = BYTE_ORDER_MARK;
  for (let i = 0; i < text.length; i++) units[i + 1] = text.charCodeAt(i);
  return { stored: new Uint8Array(units.buffer), type: UTF16 };
};

const decodeUnits = (bytes: ArrayBuffer): string => {
  const units = new Uint16Array(bytes, 0, Math.floor(bytes.byteLength / 2)).subarray(1);
  let text = "";
  for (let at = 0; at < units.length; at += CHUNK) text += String.fromCharCode(...units.subarray(at, at + CHUNK));
  return text;
};

// A body may begin with a byte order mark of its own, and a prefix may end within a character: `stream` drops the rest.
const decodeText = (bytes: ArrayBuffer, isPrefix: boolean): string =>
  new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes, { stream: isPrefix });

const digest = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).reduce(
    (hex, byte) => hex + byte.toString(16).padStart(2, "0"),
    "",
  );

/** Whether an object is what a reference says; sizes in a reference may be made up, and budgets rely on them. */
const matches = (object: R2Object, ref: BodyRef): boolean =>
  object.customMetadata?.["bytes"] === String(ref.bytes) && object.customMetadata["chars"] === String(ref.chars);

/** The bodies of one tenant in R2, under `{tenant}/bodies/{sha256}` (architecture 2). */
export const r2Blobs = (bucket: R2Bucket, tenant: string): Blobs => {
  const keyOf = (sha256: string): string => `${tenant}/bodies/${sha256}`;
  return {
    put: async (text) => {
      const { stored, type } = encode(text);
      const ref = { sha256: await digest(stored), bytes: byteLength(text), chars: text.length };
      const key = keyOf(ref.sha256);
      // Most texts that come twice are repeated completions: asking first saves sending them again.
      if ((await bucket.head(key)) === null)
        await bucket.put(key, stored, {
          httpMetadata: { contentType: type },
          customMetadata: { bytes: String(ref.bytes), chars: String(ref.chars) },
        });
      return ref;
    },
    get: async (ref, units) => {
      const isPrefix = units !== undefined && units < ref.chars;
      // A unit takes at most three bytes in UTF-8, and in UTF-16 two after the mark.
      const range = isPrefix ? { range: { offset: 0, length: units * 3 + 2 } } : {};
      const object = await bucket.get(keyOf(ref.sha256), range);
      if (object === null) return null;
      if (!matches(object, ref)) {
        await object.body.cancel();
        return null;
      }
      const bytes = await object.arrayBuffer();
      const text = object.httpMetadata?.contentType === UTF16 ? decodeUnits(bytes) : decodeText(bytes, isPrefix);
      return isPrefix ? text.slice(0, units) : text;
    },
    has: async (ref) => {
      const object = await bucket.head(keyOf(ref.sha256));
      return object !== null && matches(object, ref);
    },
    open: async (ref) => {
      const object = await bucket.get(keyOf(ref.sha256));
      if (object === null) return null;
      if (!matches(object, ref)) {
        await object.body.cancel();
        return null;
      }
      return { stream: object.body, content_type: object.httpMetadata?.contentType ?? UTF8, size: object.size };
    },
  };
};
