import { err } from "../lib/result.ts";
import { hexBytes, utf8Bytes } from "./encoding.ts";
import { anyHmacMatches } from "./hmac.ts";
import { verified, type SignatureScheme } from "./signature.ts";
import { invalidHeader, invalidSignature, missingHeader, type SignatureStyle } from "./webhook-error.ts";

const PREFIX = "sha256=";

/** A scheme that puts the hex HMAC of the body into one header, as `sha256=<hex>` (spec/triggers 19.2). */
const sha256Header = (style: SignatureStyle, name: string): SignatureScheme => ({
  style,
  verify: async (request) => {
    const header = request.headers[name];
    if (header === undefined) return err(missingHeader(name));
    if (!header.startsWith(PREFIX)) return err(invalidHeader(name, "expected `sha256=` prefix"));
    const signature = hexBytes(header.slice(PREFIX.length));
    if (signature === null) return err(invalidHeader(name, "the signature is not hexadecimal"));
    const matches = await anyHmacMatches(request.secrets.map(utf8Bytes), [request.body], [signature]);
    return matches ? verified : err(invalidSignature("signature did not match the raw request body"));
  },
});

/** GitHub: the hex HMAC of the body in `x-hub-signature-256: sha256=<hex>` (spec/triggers 19.2). */
export const githubSignature = sha256Header("github", "x-hub-signature-256");

/** Notion: the hex HMAC of the body in `x-notion-signature: sha256=<hex>` (spec/triggers 19.2). */
export const notionSignature = sha256Header("notion", "x-notion-signature");
