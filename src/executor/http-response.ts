import { categoryOfStatus, retryAfterMs } from "../llm/http-status.ts";
import { MAX_BODY_BYTES } from "../lib/body-marker.ts";
import { parseJson } from "../lib/json-text.ts";
import { orNetworkFault } from "../llm/network.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StageResult } from "../schema/plan.ts";

/** Largest response body, in bytes after decompression. */
export const MAX_RESPONSE_BYTES = MAX_BODY_BYTES;

/** A body as far as it was read. */
interface ReadBody {
  readonly text: string;
  /** True when the body is longer than the limit; the rest was not fetched. */
  readonly cut: boolean;
}

/** Reads a body as UTF-8 up to the limit and gives the connection back. */
export const readBody = async (response: Response, host: string): Promise<ReadBody> => {
  if (response.body === null) return { text: "", cut: false };
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for (;;) {
    const part = await orNetworkFault(host, reader.read());
    if (part.done) return { text: text + decoder.decode(), cut: false };
    size += part.value.byteLength;
    text += decoder.decode(part.value, { stream: true });
    if (size > MAX_RESPONSE_BYTES) {
      await orNetworkFault(host, reader.cancel());
      return { text, cut: true };
    }
  }
};

/** True when the stage takes this status for a success. */
export const isExpected = (status: number, expected: number | undefined): boolean =>
  expected === undefined ? status < 400 : status === expected;

const isJsonType = (type: string | null): boolean => /^[^;]*[/+]json\s*(?:;|$)/i.test(type ?? "");

/** Headers without the cookies of the answer, which are credentials. */
const headersOf = (response: Response): Record<string, string> =>
  Object.fromEntries([...response.headers].filter(([name]) => name !== "set-cookie" && name !== "set-cookie2"));

/** The result of a call that went well: `{status, status_code, headers, text, data?}`, `data` where the body is JSON. */
export const responseResult = (response: Response, text: string): StageResult => {
  const json = isJsonType(response.headers.get("content-type")) ? parseJson(text) : undefined;
  return {
    status: "completed",
    status_code: response.status,
    headers: headersOf(response),
    text,
    ...(json?.ok === true ? { data: json.value } : {}),
  };
};

/** How much of the body of a failed answer its error shows. */
const EXCERPT = 300;

/** The failure an unexpected status is; 408, 425, 429 and 5xx may be tried again. */
export const responseFailure = (
  response: Response,
  text: string,
  facts: { readonly call: string; readonly expected: number | undefined; readonly now: number },
): StageFailure => {
  const { status } = response;
  const failed = status >= 400;
  const excerpt = text.length > EXCERPT ? `${text.slice(0, EXCERPT)}...` : text;
  const wanted = facts.expected === undefined ? "" : `, expected ${facts.expected}`;
  const wait = retryAfterMs(response.headers.get("retry-after"), facts.now);
  return {
    category: failed ? categoryOfStatus(status) : "generic",
    message: `${facts.call} answered ${status}${wanted}${excerpt === "" ? "" : `: ${excerpt}`}`,
    retryable: status === 408 || status === 425 || status === 429 || status >= 500,
    status_code: status,
    ...(wait === undefined ? {} : { retry_after_ms: wait }),
  };
};
