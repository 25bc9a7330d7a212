import type { Json } from "../lib/json.ts";
import { ok } from "../lib/result.ts";
import type { SignatureSchemeName } from "../schema/trigger.ts";
import { bodyDigest, fieldOf, jsonBody, nameText, occurredAt, opaqueBody } from "./body.ts";
import type { Connector, ConnectorBinding, SignedRequest } from "./connector.ts";
import { redactHeaders } from "./headers.ts";
import { canonicalSignature } from "./signature-canonical.ts";
import { githubSignature } from "./signature-github.ts";
import { slackSignature } from "./signature-slack.ts";
import { standardSignature } from "./signature-standard.ts";
import { stripeSignature } from "./signature-stripe.ts";
import type { SignatureScheme } from "./signature.ts";

/** Every scheme that a generic webhook may be signed with (spec/triggers 19.2). */
export const SIGNATURE_SCHEMES: Readonly<Record<SignatureSchemeName, SignatureScheme>> = {
  github: githubSignature,
  standard: standardSignature,
  stripe: stripeSignature,
  slack: slackSignature,
  canonical: canonicalSignature,
};

const schemeNameOf = (binding: ConnectorBinding): SignatureSchemeName => binding.signature_scheme ?? "standard";

const schemeOf = (binding: ConnectorBinding): SignatureScheme => SIGNATURE_SCHEMES[schemeNameOf(binding)];

const deliveryIdOf = (scheme: SignatureSchemeName, request: SignedRequest, body: Json): string | null => {
  switch (scheme) {
    case "github":
      return nameText(request.headers["x-github-delivery"]);
    case "stripe":
      return nameText(fieldOf(body, "id"));
    case "slack":
      return nameText(fieldOf(body, "event_id"));
    case "standard":
    case "canonical":
      return nameText(request.headers["webhook-id"]);
  }
};

const kindOf = (request: SignedRequest, body: Json): string =>
  nameText(request.headers["x-github-event"]) ??
  nameText(fieldOf(body, "type")) ??
  nameText(fieldOf(body, "event")) ??
  "webhook";

/** Slack proves that it talks to the right server by having a text sent back (spec/triggers 19.3, V8). */
const slackChallenge = (request: SignedRequest): string | null => {
  const body = jsonBody(request.body);
  if (!body.ok || fieldOf(body.value, "type") !== "url_verification") return null;
  return nameText(fieldOf(body.value, "challenge"));
};

/** Any other sender of webhooks, with one of five signature schemes (spec/triggers 19.5, connector variant). */
export const webhook: Connector = {
  provider: "webhook",
  style: (binding) => schemeOf(binding).style,
  verify: (request, binding) => schemeOf(binding).verify(request),
  challenge: (request, binding) => (schemeNameOf(binding) === "slack" ? slackChallenge(request) : null),
  normalise: async (request, binding) => {
    const parsed = jsonBody(request.body);
    const body = parsed.ok ? parsed.value : opaqueBody(request.body);
    const source = binding.source ?? request.headers["x-webhook-source"] ?? null;
    const contentType = request.headers["content-type"] ?? null;
    return ok({
      provider: "webhook",
      kind: kindOf(request, body),
      occurred_at: occurredAt(body),
      dedupe_key: deliveryIdOf(schemeNameOf(binding), request, body) ?? (await bodyDigest(request.body)),
      headers: redactHeaders(request.headers),
      provider_payload: { provider: "webhook", source, content_type: contentType, raw: body },
      signature_status: { state: "verified" },
    });
  },
};
