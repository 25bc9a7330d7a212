import { err, ok, type Result } from "../lib/result.ts";
import { hexBytes, utf8Bytes } from "./encoding.ts";
import { anyHmacMatches } from "./hmac.ts";
import { checkWindow, DEFAULT_WINDOW_MS, unixSecondsOf, verified, type SignatureScheme } from "./signature.ts";
import { invalidHeader, invalidSignature, missingHeader, type WebhookError } from "./webhook-error.ts";

const HEADER = "stripe-signature";

interface Parts {
  readonly seconds: number | null;
  readonly signatures: readonly Uint8Array[];
}

const parse = (header: string): Result<Parts, WebhookError> => {
  let seconds: number | null = null;
  const signatures: Uint8Array[] = [];
  for (const part of header.split(",")) {
    const [key, ...rest] = part.trim().split("=");
    const value = rest.join("=");
    if (key === "t") {
      const read = unixSecondsOf(HEADER, value);
      if (!read.ok) return read;
      seconds = read.value;
    } else if (key === "v1") {
      const signature = hexBytes(value);
      if (signature === null) return err(invalidHeader(HEADER, "the `v1=` signature is not hexadecimal"));
      signatures.push(signature);
    }
  }
  return ok({ seconds, signatures });
};

/** Stripe: one matching hex HMAC of `<t>.<body>` in `stripe-signature: t=<s>,v1=<hex>[,v1=…]` (spec/triggers 19.2). */
export const stripeSignature: SignatureScheme = {
  style: "stripe",
  verify: async (request, windowMs = DEFAULT_WINDOW_MS) => {
    const header = request.headers[HEADER];
    if (header === undefined) return err(missingHeader(HEADER));
    const parts = parse(header);
    if (!parts.ok) return parts;
    const { seconds, signatures } = parts.value;
    if (seconds === null) return err(invalidHeader(HEADER, "missing `t=` timestamp component"));
    const late = checkWindow(seconds, windowMs, request.now);
    if (late !== null) return err(late);
    if (signatures.length === 0) return err(invalidHeader(HEADER, "missing `v1=` signature component"));
    const message = [utf8Bytes(`${seconds}.`), request.body];
    const matches = await anyHmacMatches(request.secrets.map(utf8Bytes), message, signatures);
    return matches ? verified : err(invalidSignature("no stripe signature matched the raw request body"));
  },
};
