const encoder = new TextEncoder();

/** The UTF-8 bytes of a text. */
export const utf8Bytes = (text: string): Uint8Array => encoder.encode(text);

/** The text of UTF-8 bytes without a byte order mark, or null when they are not UTF-8. */
export const utf8Text = (bytes: Uint8Array): string | null => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return null;
  }
};

/** The bytes of a hexadecimal text in either case, or null when it is none. */
export const hexBytes = (text: string): Uint8Array | null => {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16);
  return bytes;
};

/** Uint8Array as lower-case hexadecimal text. */
export const hexText = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
};

/** The bytes of a standard base64 text, with or without its padding, or null when it is none. */
export const base64Bytes = (text: string): Uint8Array | null => {
  const digits = text.replace(/={1,2}$/, "");
  if (digits.length % 4 === 1 || !/^[A-Za-z0-9+/]*$/.test(digits)) return null;
  const binary = atob(digits.padEnd(Math.ceil(digits.length / 4) * 4, "="));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
};

const CHUNK = 0x2000;

/** Uint8Array as standard base64 with padding, the form of `raw_body` (spec/triggers 4.1). */
export const base64Text = (bytes: Uint8Array): string => {
  let binary = "";
  // In pieces, because the number of arguments of one call is limited.
  for (let i = 0; i < bytes.length; i += CHUNK) binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  return btoa(binary);
};
