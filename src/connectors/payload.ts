import type { Json, JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { Timestamp } from "../lib/time.ts";
import { pushPayload } from "./a2a-push-payload.ts";
import { githubPayload } from "./github.ts";
import { lowerCaseHeaders } from "./headers.ts";
import { cronPayload } from "./in-process.ts";
import { linearPayload } from "./linear-payload.ts";
import { notionPayload } from "./notion.ts";
import { unknownProvider } from "./registry.ts";
import { slackPayload } from "./slack-payload.ts";
import { STREAM_PROVIDERS, streamPayload } from "./stream-payload.ts";
import { stripePayload } from "./stripe.ts";
import type { WebhookError } from "./webhook-error.ts";
import { webhookPayload } from "./webhook.ts";

/** A document of a provider, however it came in. */
interface Document {
  readonly kind: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly raw: Json;
  readonly now: Timestamp;
}

const STREAMS: ReadonlySet<string> = new Set(STREAM_PROVIDERS);

/** A provider's document in its typed form, told apart by `provider` (spec/triggers 4.2). */
export const normalizePayload = (provider: string, document: Document): Result<JsonObject, WebhookError> => {
  const { kind, raw, now } = document;
  const headers = lowerCaseHeaders(Object.entries(document.headers));
  switch (provider) {
    case "github":
      return ok(githubPayload(kind, headers["x-github-delivery"] ?? null, raw));
    case "slack":
      return ok(slackPayload(kind, raw));
    case "linear":
      return ok(linearPayload(headers, raw));
    case "notion":
      return ok(notionPayload(kind, headers, raw));
    case "stripe":
      return ok(stripePayload(kind, raw));
    case "webhook":
      return ok(webhookPayload(headers, raw));
    case "a2a-push":
      return ok(pushPayload(raw));
    case "cron":
      return ok(cronPayload(raw, now));
    default:
      return STREAMS.has(provider)
        ? ok(streamPayload(provider, kind, { headers: document.headers, raw }))
        : err(unknownProvider(provider));
  }
};
