import { err } from "../lib/result.ts";
import { anySecretEquals } from "./hmac.ts";
import { verified, type SignatureScheme } from "./signature.ts";
import { invalidHeader, invalidSignature, missingHeader } from "./webhook-error.ts";

const AUTHORIZATION = "authorization";

/** The token of a Bearer authorization, or null when the header has another scheme. */
export const bearerToken = (header: string): string | null => /^Bearer +(\S+)$/i.exec(header.trim())?.[1] ?? null;

/** `Authorization: Bearer <secret>`, compared in constant time (spec/triggers 25 #23). */
export const bearerSignature: SignatureScheme = {
  style: "bearer",
  verify: async (request) => {
    const header = request.headers[AUTHORIZATION];
    if (header === undefined) return err(missingHeader(AUTHORIZATION));
    const token = bearerToken(header);
    if (token === null) return err(invalidHeader(AUTHORIZATION, "expected Bearer scheme"));
    const matches = await anySecretEquals(request.secrets, token);
    return matches ? verified : err(invalidSignature("the bearer token did not match"));
  },
};

/** The secret itself in a header, compared in constant time. */
export const apiKeySignature = (headerName = "x-api-key"): SignatureScheme => {
  const name = headerName.toLowerCase();
  return {
    style: "api_key",
    verify: async (request) => {
      const given = request.headers[name];
      if (given === undefined) return err(missingHeader(name));
      const matches = await anySecretEquals(request.secrets, given);
      return matches ? verified : err(invalidSignature("the api key did not match"));
    },
  };
};
