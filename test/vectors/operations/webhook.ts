import type { SignedRequest } from "../../../src/connectors/connector.ts";
import { lowerCaseHeaders } from "../../../src/connectors/headers.ts";
import { connectorFor } from "../../../src/connectors/registry.ts";
import type { SignatureScheme } from "../../../src/connectors/signature.ts";
import { signatureRejection } from "../../../src/connectors/webhook-error.ts";
import { SIGNATURE_SCHEMES } from "../../../src/connectors/webhook.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { type Operations, textArg, textsArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";

const encoder = new TextEncoder();

const optionalText = (args: JsonObject, name: string): string => {
  const value = args[name];
  return typeof value === "string" ? value : "";
};

/** The delivery an operation describes: its body is the exact text, its time is in seconds. */
const requestOf = (args: JsonObject): SignedRequest => ({
  method: optionalText(args, "method") || "POST",
  path: optionalText(args, "path"),
  headers: lowerCaseHeaders(Object.entries(textsArg(args, "headers"))),
  body: encoder.encode(textArg(args, "body")),
  now: Number(args["now"]) * 1000,
  secrets: [textArg(args, "secret")],
});

interface Check {
  readonly provider: string;
  readonly scheme: SignatureScheme;
  readonly window_ms?: number;
}

const verify = async (system: System, request: SignedRequest, check: Check): Promise<JsonObject> => {
  const { provider, scheme, window_ms: window } = check;
  const verdict = await scheme.verify(request, window);
  if (!verdict.ok) {
    system.signatureAudit.push(signatureRejection(verdict.error, { provider, style: scheme.style, now: request.now }));
  }
  valueOf(verdict);
  return { verified: true };
};

const verifySignature = (system: System, args: JsonObject): Promise<JsonObject> => {
  const name = textArg(args, "scheme");
  const scheme = new Map<string, SignatureScheme>(Object.entries(SIGNATURE_SCHEMES)).get(name);
  if (scheme === undefined) throw new Error(`there is no signature scheme ${name}`);
  const tolerance = args["tolerance_s"];
  return verify(system, requestOf(args), {
    provider: name,
    scheme,
    ...(typeof tolerance === "number" ? { window_ms: tolerance * 1000 } : {}),
  });
};

const normalizeWebhook = async (system: System, args: JsonObject): Promise<unknown> => {
  const provider = textArg(args, "provider");
  const connector = valueOf(connectorFor(provider));
  const binding = (args["binding"] ?? {}) as JsonObject;
  const request = requestOf(args);
  const verdict = await connector.verify(request, binding);
  if (!verdict.ok) {
    const style = connector.style(binding);
    system.signatureAudit.push(signatureRejection(verdict.error, { provider, style, now: request.now }));
  }
  valueOf(verdict);
  return valueOf(await connector.normalise(request, binding));
};

/** Webhooks (spec/triggers 4 and 19). */
export const webhookOperations: Operations = {
  verify_signature: verifySignature,
  signature_audit: (system) => system.signatureAudit,
  normalize_webhook: normalizeWebhook,
  verify_authorization: (system, args) =>
    verify(system, requestOf(args), { provider: "canonical", scheme: SIGNATURE_SCHEMES.canonical }),
};
