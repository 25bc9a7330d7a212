import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { bodyDigest, eventOf, fieldOf, jsonBody, momentText, nameText, parsePayload, textOrNull } from "./body.ts";
import { type Connector, contentOf, type ImmediateAnswer, PROVEN, type SignedRequest } from "./connector.ts";
import { formBody, isForm } from "./content.ts";
import { slackSignature } from "./signature-slack.ts";
import { slackPayload } from "./slack-payload.ts";
import { invalidJson, unsupported, type WebhookError } from "./webhook-error.ts";

interface Read {
  readonly kind: string;
  readonly raw: Json;
  readonly dedupe_id: string | null;
}

/** Where a message was written is part of its kind (spec/triggers 19.5). */
const CHANNELS: ReadonlyMap<string, string> = new Map([
  ["channel", "channels"],
  ["group", "groups"],
]);

const eventKind = (raw: Json): Result<string, WebhookError> => {
  const type = textOrNull(fieldOf(raw, "type"));
  if (type === null) return err(unsupported("slack payload missing top-level type"));
  if (type !== "event_callback") return named(type);
  const event = fieldOf(raw, "event");
  if (!isObject(event)) return err(unsupported("slack event_callback missing event"));
  const inner = textOrNull(event["type"]);
  if (inner === null) return err(unsupported("slack event missing type"));
  const channel = inner === "message" ? textOrNull(event["channel_type"]) : null;
  return named(channel === null ? inner : `message.${CHANNELS.get(channel) ?? channel}`);
};

const named = (kind: string): Result<string, WebhookError> => {
  const name = nameText(kind);
  return name === null ? err(unsupported("the slack type cannot be the kind of an event")) : ok(name);
};

/** Slash commands are plain forms; interactions are a form with the field `payload`. */
const readForm = (form: JsonObject): Result<Read, WebhookError> => {
  const payload = textOrNull(form["payload"]);
  if (payload === null) return ok({ kind: "slash_command", raw: form, dedupe_id: nameText(form["trigger_id"]) });
  const raw = parsePayload(payload);
  if (!raw.ok) return raw;
  const type = textOrNull(fieldOf(raw.value, "type"));
  if (type === null) return err(unsupported("slack payload missing top-level type"));
  const kind = named(type);
  return kind.ok
    ? ok({ kind: kind.value, raw: raw.value, dedupe_id: nameText(fieldOf(raw.value, "trigger_id")) })
    : kind;
};

const read = (request: SignedRequest): Result<Read, WebhookError> => {
  const content = contentOf(request);
  if (!content.ok) return content;
  if (isForm(request.headers)) {
    const form = formBody(content.value);
    return form === null ? err(invalidJson("the form cannot be read")) : readForm(form);
  }
  const raw = jsonBody(content.value);
  if (!raw.ok) return raw;
  const kind = eventKind(raw.value);
  return kind.ok ? ok({ kind: kind.value, raw: raw.value, dedupe_id: nameText(fieldOf(raw.value, "event_id")) }) : kind;
};

const secondsOf = (value: Json | undefined): number | null => {
  const seconds = typeof value === "string" && /^\d{1,12}(?:\.\d+)?$/.test(value) ? Number(value) : value;
  return typeof seconds === "number" && Number.isFinite(seconds) ? Math.floor(seconds) : null;
};

const occurredAt = (raw: Json): string | null => {
  const seconds = secondsOf(fieldOf(fieldOf(raw, "event"), "event_ts")) ?? secondsOf(fieldOf(raw, "event_time"));
  return seconds === null ? null : momentText(seconds * 1000);
};

/** Slack shows whatever a command is answered with: nothing, here. */
const NOTHING: ImmediateAnswer = { status: 200, headers: {}, body: null };

/** The text that Slack wants back from an address it was told of (spec/triggers 19.5). */
export const slackChallenge = (request: SignedRequest): string | null => {
  const content = contentOf(request);
  const body = content.ok ? jsonBody(content.value) : content;
  if (!body.ok || fieldOf(body.value, "type") !== "url_verification") return null;
  return nameText(fieldOf(body.value, "challenge"));
};

/** Retrying what is refused for good is of no use to anybody (spec/triggers 19.5). */
export const slackHeadersFor = (status: number): Readonly<Record<string, string>> =>
  status >= 400 && status < 500 && status !== 429 ? { "x-slack-no-retry": "1" } : {};

/** Slack: the Events API, slash commands and interactions (spec/triggers 19.5). */
export const slack: Connector = {
  provider: "slack",
  style: () => slackSignature.style,
  verify: async (request, binding) => {
    const { tolerance_secs: tolerance } = binding;
    const verdict = await slackSignature.verify(request, tolerance === undefined ? undefined : tolerance * 1000);
    return verdict.ok ? ok(PROVEN) : verdict;
  },
  challenge: slackChallenge,
  normalise: async (request, _binding, proof) => {
    const body = read(request);
    if (!body.ok) return body;
    const { kind, raw, dedupe_id: id } = body.value;
    return ok(
      eventOf(request, proof, {
        provider: "slack",
        kind,
        occurred_at: occurredAt(raw),
        dedupe_key: id ?? (await bodyDigest(request.body)),
        provider_payload: slackPayload(kind, raw),
      }),
    );
  },
  answer: (request) => (isForm(request.headers) ? NOTHING : null),
  receiptStatus: 200,
  headersFor: slackHeadersFor,
};
