import { err, ok, type Result } from "../lib/result.ts";
import { base64Bytes, utf8Bytes } from "./encoding.ts";
import { anyHmacMatches } from "./hmac.ts";
import { checkWindow, DEFAULT_WINDOW_MS, unixSecondsOf, verified, type SignatureScheme } from "./signature.ts";
import { invalidHeader, invalidSignature, missingHeader, type WebhookError } from "./webhook-error.ts";

const ID = "webhook-id";
const SIGNATURE = "webhook-signature";
const TIMESTAMP = "webhook-timestamp";
const SECRET = "webhook-secret";

const signaturesIn = (header: string): Result<readonly Uint8Array[], WebhookError> => {
  const signatures: Uint8Array[] = [];
  for (const entry of header.split(" ")) {
    // Entries of other versions, such as the asymmetric `v1a,`, are for other verifiers.
    if (!entry.startsWith("v1,")) continue;
    const signature = base64Bytes(entry.slice("v1,".length));
    if (signature === null) return err(invalidHeader(SIGNATURE, "the `v1,` signature is not base64"));
    signatures.push(signature);
  }
  return signatures.length > 0 ? ok(signatures) : err(invalidHeader(SIGNATURE, "missing `v1,` signature entry"));
};

const keysOf = (secrets: readonly string[]): Result<readonly Uint8Array[], WebhookError> => {
  const keys = secrets.map((secret) => base64Bytes(secret.replace(/^whsec_/, ""))).filter((key) => key !== null);
  return keys.length > 0 ? ok(keys) : err(invalidHeader(SECRET, "the secret is not base64"));
};

/** Standard Webhooks: one matching base64 HMAC of `<id>.<timestamp header>.<body>` (spec/triggers 19.2). */
export const standardSignature: SignatureScheme = {
  style: "standard_webhooks",
  verify: async (request, windowMs = DEFAULT_WINDOW_MS) => {
    const id = request.headers[ID];
    if (id === undefined) return err(missingHeader(ID));
    const header = request.headers[SIGNATURE];
    if (header === undefined) return err(missingHeader(SIGNATURE));
    const timestamp = request.headers[TIMESTAMP];
    if (timestamp === undefined) return err(missingHeader(TIMESTAMP));
    const seconds = unixSecondsOf(TIMESTAMP, timestamp);
    if (!seconds.ok) return seconds;
    const late = checkWindow(seconds.value, windowMs, request.now);
    if (late !== null) return err(late);
    const keys = keysOf(request.secrets);
    if (!keys.ok) return keys;
    const signatures = signaturesIn(header);
    if (!signatures.ok) return signatures;
    const message = [utf8Bytes(`${id}.${timestamp}.`), request.body];
    const matches = await anyHmacMatches(keys.value, message, signatures.value);
    return matches ? verified : err(invalidSignature("no standard-webhooks signature matched the raw request body"));
  },
};
