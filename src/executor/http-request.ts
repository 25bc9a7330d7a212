import { err, ok, type Result } from "../lib/result.ts";
import type { ModelEnv } from "../ports/model-env.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { StageErrorCategory } from "../schema/error-category.ts";
import type { HttpCall, StagePlan } from "../schema/plan.ts";
import { createSecretFiller, type SecretFiller } from "./secrets.ts";

/** One request as it goes out, with its secrets filled in. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string | undefined;
  /** Names of the headers that must not follow a redirect to another origin. */
  readonly confidential: ReadonlySet<string>;
  /** True when the body carries a secret. */
  readonly confidential_body: boolean;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// Tab, printable ASCII and Latin-1: what a header value can carry.
const HEADER_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;
/** Headers that describe the connection and are the transport's alone. */
const TRANSPORT_HEADERS = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "upgrade",
  "expect",
  "te",
]);
const CREDENTIAL_HEADERS = ["authorization", "cookie", "proxy-authorization"];

const refuse = (message: string, category: StageErrorCategory = "schema_validation"): Result<never, StageFailure> =>
  err({ category, message });

interface Headers {
  readonly values: Map<string, string>;
  readonly confidential: Set<string>;
}

const fillHeaders = (given: HttpCall["headers"], filler: SecretFiller): Result<Headers, StageFailure> => {
  const values = new Map<string, string>();
  const confidential = new Set(CREDENTIAL_HEADERS);
  for (const [name, template] of Object.entries(given)) {
    const key = name.toLowerCase();
    const { text, secret } = filler.text(template);
    if (!HEADER_NAME.test(name)) return refuse(`http.headers: "${name}" is no header name`);
    if (TRANSPORT_HEADERS.has(key))
      return refuse(`http.headers: "${name}" is set by the transport and cannot be given`);
    if (!HEADER_VALUE.test(text))
      return refuse(`http.headers: the value of "${name}" has a line break or is not Latin-1`);
    values.set(key, text.trim());
    if (secret) confidential.add(key);
  }
  return ok({ values, confidential });
};

/** Header values are ASCII, ids need not be. */
const headerSafe = (key: string): string => (/^[\u0021-\u007e]*$/.test(key) ? key : encodeURIComponent(key));

/** The request of an HTTP stage; refused with the field that is wrong, or with the name of an unknown secret. */
export const prepareRequest = (
  plan: Pick<StagePlan, "http" | "idempotency_key">,
  env: ModelEnv,
): Result<HttpRequest, StageFailure> => {
  const call = plan.http;
  if (call === undefined) return refuse("the plan has no http call");
  const filler = createSecretFiller(env);
  const url = filler.text(call.url).text;
  const headers = fillHeaders(call.headers, filler);
  const body = call.body === undefined || call.body === null ? undefined : filler.json(call.body);
  const missing = filler.missing()[0];
  if (missing !== undefined) {
    return refuse(`the secret "${missing}" is not configured: set GODWIT_SECRET_${missing}`, "auth");
  }
  if (!headers.ok) return headers;
  if (!URL.canParse(url)) return refuse("http.url is not an absolute URL");
  const method = call.method.toUpperCase();
  if (!METHODS.includes(method)) return refuse(`http.method "${call.method}" is not one of ${METHODS.join(", ")}`);
  if (body !== undefined && (method === "GET" || method === "HEAD"))
    return refuse(`a ${method} call cannot have a body`);
  const { values, confidential } = headers.value;
  if (!values.has("idempotency-key")) values.set("idempotency-key", headerSafe(plan.idempotency_key));
  const isText = typeof body?.json === "string";
  if (body !== undefined && !values.has("content-type")) {
    values.set("content-type", isText ? "text/plain;charset=UTF-8" : "application/json");
  }
  return ok({
    method,
    url: new URL(url),
    headers: values,
    body: body === undefined ? undefined : isText ? String(body.json) : JSON.stringify(body.json),
    confidential,
    confidential_body: body?.secret === true,
  });
};

/** The request a redirect leads to, as fetch would make it, but without confidential parts on another origin. */
export const redirectedRequest = (
  request: HttpRequest,
  status: number,
  location: string,
): Result<HttpRequest, StageFailure> => {
  if (!URL.canParse(location, request.url.href)) return refuse("the server redirects to what is not a URL", "generic");
  const url = new URL(location, request.url.href);
  const headers = new Map(request.headers);
  const becomesGet =
    (status === 303 && request.method !== "HEAD") || ((status === 301 || status === 302) && request.method === "POST");
  const bodyless = becomesGet || request.body === undefined;
  if (becomesGet) {
    for (const name of headers.keys()) if (name.startsWith("content-")) headers.delete(name);
  }
  if (url.origin !== request.url.origin) {
    for (const name of request.confidential) headers.delete(name);
    if (!bodyless && request.confidential_body) {
      return refuse(
        `the redirect to "${url.host}" would send a body with a secret to another origin`,
        "egress_blocked",
      );
    }
  }
  return ok({
    ...request,
    url,
    headers,
    method: becomesGet ? "GET" : request.method,
    body: bodyless ? undefined : request.body,
  });
};
