import type { Json, JsonObject } from "../lib/json.ts";
import { err, ok } from "../lib/result.ts";
import { bodyDigest, eventOf, fieldOf, intOrNull, jsonBody, nameText, occurredAt, pathOf, textOrNull } from "./body.ts";
import { type Connector, contentOf, PROVEN, type SignedRequest } from "./connector.ts";
import { notionSignature } from "./signature-github.ts";
import { activation } from "./webhook-error.ts";

const MINUTE_MS = 60_000;

/** A Notion body in the typed form (spec/triggers 4.2). */
export const notionPayload = (kind: string, headers: Readonly<Record<string, string>>, raw: Json): JsonObject => ({
  provider: "notion",
  event: kind,
  workspace_id: textOrNull(fieldOf(raw, "workspace_id")),
  request_id: headers["request-id"] ?? headers["x-request-id"] ?? null,
  subscription_id: textOrNull(fieldOf(raw, "subscription_id")),
  integration_id: textOrNull(fieldOf(raw, "integration_id")),
  attempt_number: intOrNull(fieldOf(raw, "attempt_number")),
  entity_id: textOrNull(pathOf(raw, "entity", "id")),
  entity_type: textOrNull(pathOf(raw, "entity", "type")),
  api_version: textOrNull(fieldOf(raw, "api_version")),
  verification_token: textOrNull(fieldOf(raw, "verification_token")),
  polled: fieldOf(raw, "polled") ?? null,
  raw,
});

const bodyOf = (request: SignedRequest) => {
  const content = contentOf(request);
  return content.ok ? jsonBody(content.value) : content;
};

/** The token in Notion's first request to an address, or null for any other request. */
const tokenIn = (request: SignedRequest): string | null => {
  const body = bodyOf(request);
  return body.ok ? nameText(fieldOf(body.value, "verification_token")) : null;
};

const kindOf = (raw: Json): string => {
  const type = nameText(fieldOf(raw, "type"));
  return type === null || type.trim() === "" ? "notion.webhook" : type;
};

/** Several events about one thing within a minute are one (spec/triggers 19.5). */
const dedupeId = (raw: Json, at: string | null): string | null => {
  const entity = nameText(pathOf(raw, "entity", "id"));
  if (entity !== null && at !== null) return `notion:${entity}:${Math.floor(Date.parse(at) / MINUTE_MS)}`;
  const id = nameText(fieldOf(raw, "id"));
  return id === null ? null : `notion:${id}`;
};

/**
 * Notion (spec/triggers 19.5). Its first request brings the token that later ones are signed with: it is taken only while
 * the trigger has none (spec/triggers 25 #23).
 */
export const notion: Connector = {
  provider: "notion",
  style: () => notionSignature.style,
  verify: async (request, binding) => {
    if (request.secrets.length === 0) {
      if (tokenIn(request) !== null) return ok({ status: { state: "unsigned" } });
      const binds = `notion webhook binding \`${binding.id ?? "notion"}\``;
      return err(activation(`${binds} requires secrets.verification_token after the setup handshake`));
    }
    const verdict = await notionSignature.verify(request);
    return verdict.ok ? ok(PROVEN) : verdict;
  },
  needsSecret: () => false,
  handshake: (request) => (request.secrets.length === 0 ? tokenIn(request) : null),
  normalise: async (request, binding, proof) => {
    const body = bodyOf(request);
    if (!body.ok) return body;
    const raw = body.value;
    const isHandshake = proof.status.state === "unsigned";
    const kind = isHandshake ? "subscription.verification" : kindOf(raw);
    const at = occurredAt(raw);
    const id = isHandshake ? `notion-handshake:${binding.id ?? "notion"}` : dedupeId(raw, at);
    return ok(
      eventOf(request, proof, {
        provider: "notion",
        kind,
        occurred_at: at,
        dedupe_key: id ?? (await bodyDigest(request.body)),
        provider_payload: notionPayload(kind, request.headers, raw),
      }),
    );
  },
  receiptStatus: 200,
};
