import type { HandlerOutcome, OutsideCall } from "../../engine/trigger/handler.ts";
import type { Json } from "../../lib/json.ts";
import { ok } from "../../lib/result.ts";
import { parseJson } from "../../lib/json-text.ts";
import { traceParent } from "../../lib/trace-parent.ts";
import { prepareRequest } from "../http-request.ts";
import { readBody } from "../http-response.ts";
import { egressRefusal } from "../private-hosts.ts";
import { createRedactor } from "../redaction.ts";
import { headerSafe } from "./header.ts";
import { failed, succeeded } from "./outcome.ts";
import type { CallSurroundings } from "./ports.ts";
import { signatureHeaders } from "./signing.ts";

type HttpHandlerCall = Extract<OutsideCall, { readonly kind: "http" }>;

/** How much of the body of a failed answer its error shows. */
const EXCERPT = 300;

/** Headers that tell the receiver of an event what it gets; a definition cannot replace them. */
const ownHeaders = (call: HttpHandlerCall): readonly (readonly [string, string])[] => [
  ["content-type", "application/json"],
  ["idempotency-key", headerSafe(call.idempotency_key)],
  ["x-godwit-event-id", headerSafe(call.event_id)],
  ["x-godwit-trigger-id", headerSafe(call.trigger_id)],
  ["x-godwit-attempt", String(call.attempt)],
  ["traceparent", traceParent(call.trace_id)],
  ...(call.replay_of_event_id === null
    ? []
    : [["x-godwit-replay-of-event-id", headerSafe(call.replay_of_event_id)] as const]),
];

const isRetryableStatus = (status: number): boolean =>
  status === 408 || status === 425 || status === 429 || status >= 500;

const resultOf = (text: string): Json => {
  if (text === "") return null;
  const parsed = parseJson(text);
  return parsed.ok ? parsed.value : text;
};

const outcomeOf = async (response: Response, url: URL, redact: (text: string) => string): Promise<HandlerOutcome> => {
  const { status } = response;
  const body = await readBody(response, url.host);
  const where = `${url.origin}${url.pathname}`;
  if (body.cut) return failed("local", redact(`${where} answered with too long a body`), false);
  if (status >= 200 && status < 300) return succeeded(resultOf(redact(body.text)));
  const isRedirect = status >= 300 && status < 400;
  const hint = isRedirect ? "; redirects are not followed, give the final address" : "";
  const said = redact(body.text).slice(0, EXCERPT);
  // The class of a dead letter is read from this text (spec/triggers 12.5).
  const who = status >= 500 ? `handler ${redact(where)}: the provider` : `handler ${redact(where)}`;
  const error = `${who} answered ${status}${hint}${said === "" ? "" : `: ${said}`}`;
  return failed("local", error, isRetryableStatus(status));
};

/**
 * Sends the event as JSON to an HTTP address; any 2xx is a success, and a JSON body is the result. 408, 425, 429 and 5xx
 * are tried again, other answers are not. Redirects are not followed: they would turn the event into a GET without it.
 */
export const sendEvent = async (call: HttpHandlerCall, around: CallSurroundings): Promise<HandlerOutcome> => {
  const { url, method, headers } = call.http;
  const http = { method, url, headers };
  const request = prepareRequest({ http, idempotency_key: call.idempotency_key }, around.env);
  if (!request.ok) return failed("local", request.error.message, false);
  const refusal = egressRefusal(request.value.url, around.env.GODWIT_ALLOW_PRIVATE_HOSTS);
  if (refusal !== undefined) return failed("denied", refusal);
  // Not filled in like the rest of the request: what looks like a secret in an event is text.
  const body = JSON.stringify(call.event);
  const target = request.value.url;
  const id = headerSafe(call.idempotency_key);
  const { signing_secret: secret } = call.http;
  const signed = secret === undefined ? ok([]) : await signatureHeaders(secret, { id, body }, around);
  if (!signed.ok) return failed("local", signed.error, false);
  const sent = new Map([...request.value.headers, ...ownHeaders(call), ...signed.value]);
  const response = await around.fetcher(target.href, {
    method,
    headers: [...sent],
    body,
    redirect: "manual",
    signal: around.signal,
  });
  return outcomeOf(response, target, createRedactor(around.env).text);
};
