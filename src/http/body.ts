import { err, ok, type Result } from "../lib/result.ts";
import { nestingIssue } from "../schema/decode.ts";
import { invalid, problem, type Problem } from "./problem.ts";

const DEFAULT_MAX_BODY_BYTES = 1_048_576;

/** The configured limit of a body in bytes; 1 MiB unless the setting is a whole number above zero. */
export const maxBodyBytes = (setting: string | undefined): number =>
  setting !== undefined && /^[1-9]\d{0,9}$/.test(setting) ? Number(setting) : DEFAULT_MAX_BODY_BYTES;

/** A request whose long texts are kept as bodies may have so many bytes: one body, escaped, and what stands beside it. */
export const MAX_REQUEST_BYTES = 32 * 1024 * 1024;

/** The refusal of a body beyond a limit in bytes. */
export const tooLarge = (limit: number): Problem => ({
  ...problem("payload_too_large", `the body is larger than ${limit} bytes`, { max_bytes: limit }),
});

/** Reads a body and stops at the limit, whatever its declared length is. */
export const readBytes = async (
  request: Pick<Request, "headers" | "body">,
  limit: number,
): Promise<Result<Uint8Array, Problem>> => {
  if (Number(request.headers.get("Content-Length") ?? 0) > limit) return err(tooLarge(limit));
  if (request.body === null) return ok(new Uint8Array());
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > limit) {
      await reader.cancel();
      return err(tooLarge(limit));
    }
    chunks.push(value);
  }
  const [only] = chunks;
  return ok(chunks.length === 1 && only !== undefined ? only : joined(chunks, size));
};

const joined = (chunks: readonly Uint8Array[], size: number): Uint8Array => {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
};

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

const parse = (bytes: Uint8Array): Result<unknown, Problem> => {
  try {
    return ok(JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes)));
  } catch (error) {
    // The runtime's text says where the document breaks off or goes wrong.
    const reason = error instanceof SyntaxError ? error.message : "it is not valid UTF-8";
    return err(invalid([{ path: ".", message: reason }], `the body is not valid JSON: ${reason}`));
  }
};

/**
 * The JSON body of a request within the limit and at most 64 levels deep; undefined for an empty one.
 *
 * An empty body needs no content type; any other must be declared as JSON.
 */
export const readJson = async (request: Request, limit: number): Promise<Result<unknown, Problem>> => {
  const bytes = await readBytes(request, limit);
  if (!bytes.ok) return bytes;
  if (bytes.value.byteLength === 0) return ok(undefined);
  const type = request.headers.get("Content-Type");
  if (type === null || !JSON_TYPE.test(type)) {
    const given = type === null ? "no Content-Type" : `Content-Type: ${type.slice(0, 100)}`;
    return err(
      problem("unsupported_media_type", `the body came with ${given}; send it with Content-Type: application/json`),
    );
  }
  const value = parse(bytes.value);
  if (!value.ok) return value;
  const tooDeep = nestingIssue(value.value);
  return tooDeep === null ? value : err(invalid([tooDeep]));
};
