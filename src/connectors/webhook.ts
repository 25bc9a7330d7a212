import type { Json, JsonObject } from "../lib/json.ts";
import { ok, type Result } from "../lib/result.ts";
import type { SignatureSchemeName } from "../schema/trigger-auth.ts";
import type { NormalisedEvent } from "../schema/trigger.ts";
import { anyBody, bodyDigest, eventOf, fieldOf, nameText, occurredAt } from "./body.ts";
import { type Connector, type ConnectorBinding, contentOf, PROVEN, type SignedRequest } from "./connector.ts";
import { canonicalSignature } from "./signature-canonical.ts";
import { githubSignature } from "./signature-github.ts";
import { hmacSignature } from "./signature-hmac.ts";
import { slackSignature } from "./signature-slack.ts";
import { standardSignature } from "./signature-standard.ts";
import { stripeSignature } from "./signature-stripe.ts";
import { apiKeySignature, bearerSignature } from "./signature-token.ts";
import type { SignatureScheme } from "./signature.ts";
import { slackChallenge } from "./slack.ts";
import { activation, type WebhookError } from "./webhook-error.ts";

/** The schemes of a generic webhook that need no description (spec/triggers 19.2). */
export const SIGNATURE_SCHEMES = {
  github: githubSignature,
  standard: standardSignature,
  stripe: stripeSignature,
  slack: slackSignature,
  canonical: canonicalSignature,
} as const satisfies Partial<Record<SignatureSchemeName, SignatureScheme>>;

const schemeNameOf = (binding: ConnectorBinding): SignatureSchemeName => binding.signature_scheme ?? "standard";

const schemeOf = (binding: ConnectorBinding): SignatureScheme => {
  const name = schemeNameOf(binding);
  switch (name) {
    case "hmac":
      return hmacSignature(binding.hmac ?? { header: "x-signature", encoding: "hex" });
    case "bearer":
      return bearerSignature;
    case "api_key":
      return apiKeySignature(binding.api_key_header);
    default:
      return SIGNATURE_SCHEMES[name];
  }
};

const deliveryIdOf = (scheme: SignatureSchemeName, request: SignedRequest, body: Json): string | null => {
  switch (scheme) {
    case "github":
      return nameText(request.headers["x-github-delivery"]);
    case "stripe":
      return nameText(fieldOf(body, "id"));
    case "slack":
      return nameText(fieldOf(body, "event_id"));
    default:
      return nameText(request.headers["webhook-id"]);
  }
};

const kindOf = (request: SignedRequest, body: Json): string =>
  nameText(request.headers["x-github-event"]) ??
  nameText(fieldOf(body, "type")) ??
  nameText(fieldOf(body, "event")) ??
  "webhook";

/** The body of any other sender in the common form (spec/triggers 4.2). */
export const webhookPayload = (
  headers: Readonly<Record<string, string>>,
  raw: Json,
  source: string | null = null,
): JsonObject => ({
  provider: "webhook",
  source: source ?? headers["x-webhook-source"] ?? null,
  content_type: headers["content-type"] ?? null,
  raw,
});

const eventFrom = (
  request: SignedRequest,
  binding: ConnectorBinding,
  body: Json,
): Omit<NormalisedEvent, "dedupe_key"> =>
  eventOf(request, PROVEN, {
    provider: "webhook",
    kind: kindOf(request, body),
    occurred_at: occurredAt(body),
    dedupe_key: "",
    provider_payload: webhookPayload(request.headers, body, binding.source),
  });

/** Each item of a list is an event, known by its own id or by its place in the delivery. */
const batchOf = async (
  request: SignedRequest,
  binding: ConnectorBinding,
  items: readonly Json[],
): Promise<Result<readonly NormalisedEvent[], WebhookError>> => {
  const scheme = schemeNameOf(binding);
  const delivery =
    scheme === "stripe" || scheme === "slack"
      ? await bodyDigest(request.body)
      : (deliveryIdOf(scheme, request, null) ?? (await bodyDigest(request.body)));
  return ok(
    items.map((item, at) => {
      const id = nameText(fieldOf(item, "id")) ?? nameText(fieldOf(item, "event_id")) ?? `${delivery}:${at}`;
      return { ...eventFrom(request, binding, item), dedupe_key: id };
    }),
  );
};

/** Any other sender of webhooks, with one of several signature schemes (spec/triggers 19.5, connector variant). */
export const webhook: Connector = {
  provider: "webhook",
  style: (binding) => schemeOf(binding).style,
  activate: (binding) =>
    schemeNameOf(binding) === "hmac" && binding.hmac === undefined
      ? activation(`webhook binding \`${binding.id ?? "webhook"}\` requires hmac.header for the scheme hmac`)
      : null,
  verify: async (request, binding) => {
    const { tolerance_secs: tolerance } = binding;
    const window = tolerance === undefined ? undefined : tolerance * 1000;
    const verdict = await schemeOf(binding).verify(request, window);
    return verdict.ok ? ok(PROVEN) : verdict;
  },
  challenge: (request, binding) => (schemeNameOf(binding) === "slack" ? slackChallenge(request) : null),
  normalise: async (request, binding) => {
    const content = contentOf(request);
    if (!content.ok) return content;
    const body = anyBody(content.value, request.headers);
    const id = deliveryIdOf(schemeNameOf(binding), request, body) ?? (await bodyDigest(request.body));
    return ok({ ...eventFrom(request, binding, body), dedupe_key: id });
  },
  normaliseBatch: (request, binding) => {
    if (binding.split_batches !== true) return null;
    const content = contentOf(request);
    if (!content.ok) return Promise.resolve(content);
    const body = anyBody(content.value, request.headers);
    return Array.isArray(body) ? batchOf(request, binding, body as readonly Json[]) : null;
  },
};
