import { utf8Bytes } from "./encoding.ts";

const algorithm = { name: "HMAC", hash: "SHA-256" } as const;

const importKey = (key: Uint8Array): Promise<CryptoKey> =>
  crypto.subtle.importKey("raw", key, algorithm, false, ["sign", "verify"]);

const concat = (parts: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
};

/**
 * Whether any of the candidates is the HMAC-SHA256 of the message under any of the keys, compared in constant time
 * (spec/triggers 19.1). An empty key never verifies.
 */
export const anyHmacMatches = async (
  keys: readonly Uint8Array[],
  message: readonly Uint8Array[],
  candidates: readonly Uint8Array[],
): Promise<boolean> => {
  const signed = concat(message);
  for (const bytes of keys) {
    if (bytes.byteLength === 0) continue;
    const key = await importKey(bytes);
    // The sender chooses how many candidates there are, so the body is hashed once per key: a candidate equals the MAC
    // exactly when their own MACs are equal, and `verify` compares those in constant time.
    const mac = await crypto.subtle.sign(algorithm, key, signed);
    const macOfMac = await crypto.subtle.sign(algorithm, key, mac);
    for (const candidate of candidates) {
      if (await crypto.subtle.verify(algorithm, key, macOfMac, candidate)) return true;
    }
  }
  return false;
};

/** SHA-256 of bytes. */
export const sha256 = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/**
 * Whether a text is one of the secrets, compared by their digests in constant time: not even their lengths show
 * (spec/triggers 25 #23). An empty secret never matches.
 */
export const anySecretEquals = async (secrets: readonly string[], given: string): Promise<boolean> => {
  const digest = await sha256(utf8Bytes(given));
  let found = false;
  for (const secret of secrets) {
    const expected = await sha256(utf8Bytes(secret));
    let difference = secret === "" ? 1 : 0;
    for (const [i, byte] of digest.entries()) difference |= byte ^ (expected[i] ?? 0);
    if (difference === 0) found = true;
  }
  return found;
};
