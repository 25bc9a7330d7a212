import { err } from "../lib/result.ts";
import type { HmacSettings } from "../schema/trigger-auth.ts";
import { base64Bytes, hexBytes, utf8Bytes } from "./encoding.ts";
import { anyHmacMatches } from "./hmac.ts";
import { checkWindow, DEFAULT_WINDOW_MS, unixSecondsOf, verified, type SignatureScheme } from "./signature.ts";
import { invalidHeader, invalidSignature, missingHeader } from "./webhook-error.ts";

const DECODERS = { hex: hexBytes, base64: base64Bytes } as const;

/** Any other sender that signs with HMAC-SHA256, as its trigger describes it. */
export const hmacSignature = (settings: HmacSettings): SignatureScheme => {
  const { prefix = "", encoding } = settings;
  const name = settings.header.toLowerCase();
  const clock = settings.timestamp_header?.toLowerCase();
  const [before = "", after = ""] = (settings.message ?? (clock === undefined ? "{body}" : "{timestamp}.{body}")).split(
    "{body}",
  );
  const defaultWindow = settings.tolerance === undefined ? DEFAULT_WINDOW_MS : settings.tolerance * 1000;
  return {
    style: "hmac",
    verify: async (request, windowMs = defaultWindow) => {
      const timestamp = clock === undefined ? "" : request.headers[clock];
      if (clock !== undefined) {
        if (timestamp === undefined) return err(missingHeader(clock));
        const seconds = unixSecondsOf(clock, timestamp);
        if (!seconds.ok) return seconds;
        const late = checkWindow(seconds.value, windowMs, request.now);
        if (late !== null) return err(late);
      }
      const header = request.headers[name];
      if (header === undefined) return err(missingHeader(name));
      if (!header.startsWith(prefix)) return err(invalidHeader(name, `expected \`${prefix}\` prefix`));
      const signature = DECODERS[encoding](header.slice(prefix.length).trim());
      if (signature === null) return err(invalidHeader(name, `the signature is not ${encoding}`));
      const filled = (text: string): Uint8Array => utf8Bytes(text.replaceAll("{timestamp}", () => timestamp ?? ""));
      const message = [filled(before), request.body, filled(after)];
      const matches = await anyHmacMatches(request.secrets.map(utf8Bytes), message, [signature]);
      return matches ? verified : err(invalidSignature("signature did not match the raw request body"));
    },
  };
};
