import { err, ok, type Result } from "../lib/result.ts";
import type { Json, JsonObject } from "../lib/json.ts";
import { utf8Text } from "./encoding.ts";
import { invalidJson, unsupported, type WebhookError } from "./webhook-error.ts";

/** More than one is unusual, and each multiplies what a small body can become. */
const MAX_ENCODINGS = 2;

type Format = "gzip" | "deflate";

const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
]);

const unpack = async (bytes: Uint8Array, format: Format, limit: number): Promise<Result<Uint8Array, WebhookError>> => {
  if (bytes.byteLength === 0) return err(invalidJson(`the request body is not valid ${format}`));
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    const packed = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
    const reader = packed.pipeThrough(new DecompressionStream(format)).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.byteLength;
      if (size > limit) {
        // What is left would be refused anyway; a reader that cannot be cancelled changes nothing.
        await reader.cancel().catch(() => undefined);
        return err({ kind: "too_large", message: `the body is larger than ${limit} bytes` });
      }
      chunks.push(value);
    }
  } catch {
    return err(invalidJson(`the request body is not valid ${format}`));
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return ok(whole);
};

/**
 * The body without its `Content-Encoding`, at most `limit` bytes of it; null when it has none. Signatures cover the bytes
 * as received, so this has no part in them (spec/triggers 19.1).
 */
export const decodedContent = async (
  body: Uint8Array,
  header: string | undefined,
  limit: number,
): Promise<Result<Uint8Array, WebhookError> | null> => {
  const names = (header ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "" && name !== "identity");
  if (names.length === 0) return null;
  if (names.length > MAX_ENCODINGS) return err(unsupported(`more than ${MAX_ENCODINGS} content encodings`));
  let content = body;
  for (const name of names.toReversed()) {
    const format = FORMATS.get(name);
    if (format === undefined) return err(unsupported(`the content encoding \`${name.slice(0, 50)}\` is not supported`));
    const unpacked = await unpack(content, format, limit);
    if (!unpacked.ok) return unpacked;
    content = unpacked.value;
  }
  return ok(content);
};

const MAX_FIELDS = 1000;

/** Whether a delivery says that its body is a form. */
export const isForm = (headers: Readonly<Record<string, string>>): boolean =>
  (headers["content-type"] ?? "").trim().toLowerCase().startsWith("application/x-www-form-urlencoded");

/** A form as an object: a name that is given several times becomes a list. Null when it is none. */
export const formBody = (bytes: Uint8Array): JsonObject | null => {
  const text = utf8Text(bytes);
  if (text === null) return null;
  const fields = new Map<string, Json>();
  let count = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    count += 1;
    if (count > MAX_FIELDS) return null;
    const known = fields.get(name);
    if (known === undefined) fields.set(name, value);
    else fields.set(name, Array.isArray(known) ? [...(known as readonly Json[]), value] : [known, value]);
  }
  return count === 0 ? null : Object.fromEntries(fields);
};
