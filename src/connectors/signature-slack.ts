import { err } from "../lib/result.ts";
import { hexBytes, utf8Bytes } from "./encoding.ts";
import { anyHmacMatches } from "./hmac.ts";
import { checkWindow, DEFAULT_WINDOW_MS, unixSecondsOf, verified, type SignatureScheme } from "./signature.ts";
import { invalidHeader, invalidSignature, missingHeader } from "./webhook-error.ts";

const TIMESTAMP = "x-slack-request-timestamp";
const SIGNATURE = "x-slack-signature";
const PREFIX = "v0=";

/** Slack: the hex HMAC of `v0:<timestamp header>:<body>` in `x-slack-signature: v0=<hex>` (spec/triggers 19.2). */
export const slackSignature: SignatureScheme = {
  style: "slack",
  verify: async (request, windowMs = DEFAULT_WINDOW_MS) => {
    const timestamp = request.headers[TIMESTAMP];
    if (timestamp === undefined) return err(missingHeader(TIMESTAMP));
    const seconds = unixSecondsOf(TIMESTAMP, timestamp);
    if (!seconds.ok) return seconds;
    const late = checkWindow(seconds.value, windowMs, request.now);
    if (late !== null) return err(late);
    const header = request.headers[SIGNATURE];
    if (header === undefined) return err(missingHeader(SIGNATURE));
    if (!header.startsWith(PREFIX)) return err(invalidHeader(SIGNATURE, "expected `v0=` prefix"));
    const signature = hexBytes(header.slice(PREFIX.length));
    if (signature === null) return err(invalidHeader(SIGNATURE, "the signature is not hexadecimal"));
    // The header's text is signed, not the number read from it.
    const message = [utf8Bytes(`v0:${timestamp}:`), request.body];
    const matches = await anyHmacMatches(request.secrets.map(utf8Bytes), message, [signature]);
    return matches ? verified : err(invalidSignature("slack signature mismatch"));
  },
};
