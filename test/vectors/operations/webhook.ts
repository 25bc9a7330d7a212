import { duplicateToken } from "../../../src/connectors/a2a-push.ts";
import type { ConnectorBinding, SignedRequest } from "../../../src/connectors/connector.ts";
import { encodeEvent, rawBytesOf } from "../../../src/connectors/event-bytes.ts";
import { lowerCaseHeaders, redactHeaders } from "../../../src/connectors/headers.ts";
import { normalizePayload } from "../../../src/connectors/payload.ts";
import { connectorFor } from "../../../src/connectors/registry.ts";
import { notionSignature } from "../../../src/connectors/signature-github.ts";
import { linearSignature } from "../../../src/connectors/signature-linear.ts";
import type { SignatureScheme } from "../../../src/connectors/signature.ts";
import {
  activation,
  signatureRejection,
  unsupported,
  type WebhookError,
} from "../../../src/connectors/webhook-error.ts";
import { SIGNATURE_SCHEMES } from "../../../src/connectors/webhook.ts";
import { isObject, type JsonObject } from "../../../src/lib/json.ts";
import { err } from "../../../src/lib/result.ts";
import { pathProblem, routeTaken } from "../../../src/schema/trigger-path.ts";
import { bindingOf } from "../hook-objects.ts";
import { listArg, type Operations, textArg, textsArg, valueOf } from "../operation.ts";
import type { System } from "../system.ts";

const encoder = new TextEncoder();

const optionalText = (args: JsonObject, name: string): string => {
  const value = args[name];
  return typeof value === "string" ? value : "";
};

const momentArg = (args: JsonObject): number => {
  const { now } = args;
  return typeof now === "string" ? Date.parse(now) : Number(now) * 1000;
};

/** The delivery an operation describes: its body is the exact text, its time is in seconds or RFC 3339. */
const requestOf = (args: JsonObject): SignedRequest => ({
  method: optionalText(args, "method") || "POST",
  path: optionalText(args, "path"),
  headers: lowerCaseHeaders(Object.entries(textsArg(args, "headers"))),
  body: encoder.encode(textArg(args, "body")),
  now: momentArg(args),
  secrets: typeof args["secret"] === "string" ? [args["secret"]] : [],
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
    system.hooks.audit.push(signatureRejection(verdict.error, { provider, style: scheme.style, now: request.now }));
  }
  valueOf(verdict);
  return { verified: true };
};

const SCHEMES: ReadonlyMap<string, SignatureScheme> = new Map<string, SignatureScheme>([
  ...Object.entries(SIGNATURE_SCHEMES),
  ["linear", linearSignature],
  ["notion", notionSignature],
]);

const verifySignature = (system: System, args: JsonObject): Promise<JsonObject> => {
  const name = textArg(args, "scheme");
  const scheme = SCHEMES.get(name);
  if (scheme === undefined) return valueOf(err(unsupported(`there is no signature scheme ${name}`)));
  const tolerance = args["tolerance_s"];
  return verify(system, requestOf(args), {
    provider: name,
    scheme,
    ...(typeof tolerance === "number" ? { window_ms: tolerance * 1000 } : {}),
  });
};

const bindingArg = (args: JsonObject, provider: string): ConnectorBinding => {
  const given = isObject(args["binding"]) ? args["binding"] : {};
  return bindingOf(typeof given["id"] === "string" ? given["id"] : provider, given);
};

const normalizeWebhook = async (system: System, args: JsonObject): Promise<unknown> => {
  const provider = textArg(args, "provider");
  const connector = valueOf(connectorFor(provider));
  const binding = bindingArg(args, provider);
  const request = requestOf(args);
  const proof = await connector.verify(request, binding, { keys: () => Promise.resolve(null) });
  if (!proof.ok) {
    const style = connector.style(binding);
    system.hooks.audit.push(signatureRejection(proof.error, { provider, style, now: request.now }));
  }
  return valueOf(await connector.normalise(request, binding, valueOf(proof)));
};

const verifyPush = async (system: System, args: JsonObject): Promise<unknown> => {
  const binding = bindingArg(args, "a2a-push");
  const trigger_id = binding.id ?? "a2a-push";
  const reception = await system.hooks.receive({ provider: "a2a-push", trigger_id, binding, request: requestOf(args) });
  if (reception.type === "invalid") return valueOf(err(reception.error));
  if (reception.type !== "received") throw new Error(`the push was answered with ${reception.type}`);
  const [receipt] = reception.receipts;
  if (reception.duplicates > 0) return valueOf(err(duplicateToken(receipt?.dedupe_key ?? "")));
  return { verified: true, dedupe_key: receipt?.dedupe_key ?? null };
};

const deliver = async (system: System, args: JsonObject): Promise<JsonObject> => {
  const { secrets: _none, ...request } = requestOf(args);
  const { status, headers, body } = await system.hooks.deliver(request);
  const isJson = headers["content-type"] === "application/json";
  return { status, headers: { ...headers }, body: isJson ? JSON.parse(body ?? "null") : (body ?? "") };
};

/** Where deliveries come in; `match.path` is another name of `path`. */
const pathIn = (given: JsonObject): string | undefined => {
  const { path, match } = given;
  const named = path ?? (isObject(match) ? match["path"] : undefined);
  return typeof named === "string" && named !== "" ? named : undefined;
};

const activate = (_system: System, args: JsonObject): JsonObject => {
  const paths = new Set<string>();
  const bindings = listArg(args, "bindings").filter(isObject);
  for (const given of bindings) {
    const provider = optionalText(given, "provider");
    const connector = valueOf(connectorFor(provider));
    const id = optionalText(given, "id") || optionalText(given, "trigger_id") || provider;
    const nested = isObject(given["binding"]) ? given["binding"] : isObject(given["config"]) ? given["config"] : {};
    const refusal: WebhookError | null = connector.activate?.(bindingOf(id, { ...given, ...nested })) ?? null;
    if (refusal !== null) valueOf(err(refusal));
    const path = pathIn({ ...given, ...nested });
    const problem = pathProblem(id, { path });
    if (problem !== null) valueOf(err(activation(problem)));
    if (path !== undefined && paths.has(path)) valueOf(err(activation(routeTaken(path))));
    if (path !== undefined) paths.add(path);
  }
  return { active: bindings.length };
};

const rawBytes = (event: JsonObject): Uint8Array | null => {
  const bytes = event["raw_body_bytes"];
  return Array.isArray(bytes) ? Uint8Array.from(bytes as readonly number[]) : null;
};

const decode = (event: JsonObject): JsonObject => {
  const bytes = rawBytesOf(event);
  return bytes === null ? event : { ...event, raw_body_bytes: [...bytes] };
};

/** Webhooks (spec/triggers 4, 19 and 20). */
export const webhookOperations: Operations = {
  verify_signature: verifySignature,
  signature_audit: (system) => system.hooks.audit,
  normalize_webhook: normalizeWebhook,
  verify_authorization: (system, args) =>
    verify(system, requestOf(args), { provider: "canonical", scheme: SIGNATURE_SCHEMES.canonical }),
  verify_push_jwt: verifyPush,
  deliver_webhook: deliver,
  accepted_events: (system) => system.hooks.accepted,
  handshakes: (system) => system.hooks.handshakes,
  activate_webhook: activate,
  normalize_payload: (system, args) =>
    valueOf(
      normalizePayload(textArg(args, "provider"), {
        kind: textArg(args, "kind"),
        headers: textsArg(args, "headers"),
        raw: args["raw"] ?? null,
        now: system.clock.now,
      }),
    ),
  redact_headers: (_system, args) =>
    redactHeaders(textsArg(args, "headers"), new Set(listArg(args, "safe").map((name) => String(name).toLowerCase()))),
  encode_event: (_system, args) => {
    const { raw_body_bytes: _bytes, ...event } = args["event"] as JsonObject;
    return encodeEvent(event, rawBytes(args["event"] as JsonObject));
  },
  decode_event: (_system, args) => decode(args["event"] as JsonObject),
};
