import type { Json, JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { bodyDigest, eventOf, fieldOf, jsonBody, nameText, occurredAt, parsePayload, textOrNull } from "./body.ts";
import { type Connector, contentOf, PROVEN, type SignedRequest } from "./connector.ts";
import { formBody, isForm } from "./content.ts";
import { githubSignature } from "./signature-github.ts";
import { invalidJson, missingHeader, type WebhookError } from "./webhook-error.ts";

/** Keys of the body that are lifted into the payload, for each event (spec/triggers 4.2). */
const LIFTED: ReadonlyMap<string, readonly string[]> = new Map([
  ["issues", ["issue"]],
  ["pull_request", ["pull_request"]],
  ["issue_comment", ["issue", "comment"]],
  ["pull_request_review", ["pull_request", "review"]],
  ["push", ["commits", "distinct_size"]],
  ["workflow_run", ["workflow_run"]],
  ["deployment_status", ["deployment_status", "deployment"]],
  ["check_run", ["check_run"]],
]);

/** A GitHub body in the typed form, told apart by `event`; `raw` keeps everything (spec/triggers 4.2). */
export const githubPayload = (event: string, deliveryId: string | null, raw: Json): JsonObject => {
  const payload: Record<string, Json> = {
    provider: "github",
    event,
    action: nameText(fieldOf(raw, "action")),
    delivery_id: deliveryId,
    installation_id: fieldOf(fieldOf(raw, "installation"), "id") ?? null,
    raw,
  };
  for (const key of LIFTED.get(event) ?? []) payload[key] = fieldOf(raw, key) ?? (key === "commits" ? [] : null);
  return payload;
};

const readBody = (request: SignedRequest): Result<Json, WebhookError> => {
  const content = contentOf(request);
  if (!content.ok) return content;
  if (!isForm(request.headers)) return jsonBody(content.value);
  // GitHub's other content type: the signature covers the form as sent, the event is in its field `payload`.
  const payload = textOrNull(fieldOf(formBody(content.value) ?? {}, "payload"));
  return payload === null ? err(invalidJson("the form has no `payload` field")) : parsePayload(payload);
};

/**
 * GitHub (spec/triggers 19.5). The kind is `<event>.<action>`, or `<event>` where there is no action; the payload's
 * `event` is the bare event. A ping is an event like any other. In the original's connector the kind is the bare event.
 */
export const github: Connector = {
  provider: "github",
  style: () => githubSignature.style,
  verify: async (request) => {
    const verdict = await githubSignature.verify(request);
    return verdict.ok ? ok(PROVEN) : verdict;
  },
  normalise: async (request, binding, proof) => {
    const event = nameText(request.headers["x-github-event"]);
    if (event === null) return err(missingHeader("X-GitHub-Event"));
    const body = readBody(request);
    if (!body.ok) return body;
    const deliveryId = nameText(request.headers["x-github-delivery"]);
    const action = binding.compatibility === "harn" ? null : nameText(fieldOf(body.value, "action"));
    return ok(
      eventOf(request, proof, {
        provider: "github",
        kind: action === null ? event : `${event}.${action}`,
        occurred_at: occurredAt(body.value),
        dedupe_key: deliveryId ?? (await bodyDigest(request.body)),
        provider_payload: githubPayload(event, deliveryId, body.value),
      }),
    );
  },
};
