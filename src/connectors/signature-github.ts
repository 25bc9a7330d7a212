import { err } from "../lib/result.ts";
import { hexBytes, utf8Bytes } from "./encoding.ts";
import { anyHmacMatches } from "./hmac.ts";
import { verified, type SignatureScheme } from "./signature.ts";
import { invalidHeader, invalidSignature, missingHeader } from "./webhook-error.ts";

const HEADER = "x-hub-signature-256";
const PREFIX = "sha256=";

/** GitHub: the hex HMAC of the body in `x-hub-signature-256: sha256=<hex>` (spec/triggers 19.2). */
export const githubSignature: SignatureScheme = {
  style: "github",
  verify: async (request) => {
    const header = request.headers[HEADER];
    if (header === undefined) return err(missingHeader(HEADER));
    if (!header.startsWith(PREFIX)) return err(invalidHeader(HEADER, "expected `sha256=` prefix"));
    const signature = hexBytes(header.slice(PREFIX.length));
    if (signature === null) return err(invalidHeader(HEADER, "the signature is not hexadecimal"));
    const matches = await anyHmacMatches(request.secrets.map(utf8Bytes), [request.body], [signature]);
    return matches ? verified : err(invalidSignature("signature did not match the raw request body"));
  },
};
