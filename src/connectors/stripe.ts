import type { Json, JsonObject } from "../lib/json.ts";
import { ok } from "../lib/result.ts";
import { bodyDigest, eventOf, fieldOf, intOrNull, jsonBody, momentText, nameText, pathOf, textOrNull } from "./body.ts";
import { type Connector, contentOf, PROVEN } from "./connector.ts";
import { stripeSignature } from "./signature-stripe.ts";

const createdAt = (raw: Json): string | null => {
  const seconds = intOrNull(fieldOf(raw, "created"));
  return seconds === null ? null : momentText(seconds * 1000);
};

/** A Stripe event in a typed form; `object` is what it is about. */
export const stripePayload = (kind: string, raw: Json): JsonObject => ({
  provider: "stripe",
  event: kind,
  event_id: textOrNull(fieldOf(raw, "id")),
  api_version: textOrNull(fieldOf(raw, "api_version")),
  account: textOrNull(fieldOf(raw, "account")),
  livemode: fieldOf(raw, "livemode") === true,
  created: createdAt(raw),
  object: pathOf(raw, "data", "object") ?? null,
  previous_attributes: pathOf(raw, "data", "previous_attributes") ?? null,
  raw,
});

/** Stripe: the kind is the type of its event, the dedupe key its id. */
export const stripe: Connector = {
  provider: "stripe",
  style: () => stripeSignature.style,
  verify: async (request, binding) => {
    const { tolerance_secs: tolerance } = binding;
    const verdict = await stripeSignature.verify(request, tolerance === undefined ? undefined : tolerance * 1000);
    return verdict.ok ? ok(PROVEN) : verdict;
  },
  normalise: async (request, _binding, proof) => {
    const content = contentOf(request);
    const body = content.ok ? jsonBody(content.value) : content;
    if (!body.ok) return body;
    const kind = nameText(fieldOf(body.value, "type")) ?? "webhook";
    return ok(
      eventOf(request, proof, {
        provider: "stripe",
        kind,
        occurred_at: createdAt(body.value),
        dedupe_key: nameText(fieldOf(body.value, "id")) ?? (await bodyDigest(request.body)),
        provider_payload: stripePayload(kind, body.value),
      }),
    );
  },
};
