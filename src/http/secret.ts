const encoder = new TextEncoder();

const hex = (bytes: ArrayBuffer | Uint8Array): string =>
  Array.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");

/** SHA-256 of a text as 64 hexadecimal digits. */
export const sha256 = async (text: string): Promise<string> =>
  hex(await crypto.subtle.digest("SHA-256", encoder.encode(text)));

/** Whether two texts of the same length are equal, in a time that does not depend on where they differ. */
const equalInConstantTime = (a: string, b: string): boolean => {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
};

/** Whether a text has this SHA-256; says nothing through its time about either. */
export const matchesHash = async (text: string, hash: string): Promise<boolean> =>
  equalInConstantTime(await sha256(text), hash);

/** Whether two secrets are the same, compared by their hashes, so that not even their lengths show. */
export const sameSecret = async (given: string, expected: string): Promise<boolean> =>
  matchesHash(given, await sha256(expected));

/** 64 random hexadecimal digits. */
export const randomSecret = (): string => hex(crypto.getRandomValues(new Uint8Array(32)));

/** 64 hexadecimal digits that follow from a text and a secret only its holder can repeat (HMAC-SHA-256). */
export const derivedSecret = async (secret: string, text: string): Promise<string> => {
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return hex(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
};

const KEY = /^gw_([0-9a-f]{32})_[0-9a-f]{64}$/;

/** The id within the text of an API key, `gw_<id>_<secret>`; null for a text that is none. */
export const keyIdOf = (text: string): string | null => KEY.exec(text)?.[1] ?? null;

/** The text of an API key. */
export const keyText = (keyId: string, secret: string): string => `gw_${keyId}_${secret}`;
