import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from "node:crypto";
import type { ConnectorBinding } from "../../src/connectors/connector.ts";

/** Headers as they are sent. */
export type Headers = Readonly<Record<string, string>>;

/** A sender: what its deliveries look like, and how they are signed by other code than the one under test. */
export interface Sender {
  readonly name: string;
  readonly provider: string;
  readonly binding: ConnectorBinding;
  readonly secrets: readonly string[];
  /** Only JSON can be an event. */
  readonly json_only: boolean;
  readonly has_time: boolean;
  readonly document: (now: number, id: string) => object;
  readonly sign: (body: Uint8Array, now: number, id: string) => Headers;
}

const SECRET = "c2VjcmV0LW9mLXRoZS1wcm9vZg==";

const hmac = (
  key: string | Uint8Array,
  parts: readonly (string | Uint8Array)[],
  encoding: "hex" | "base64",
): string => {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return mac.digest(encoding);
};

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
/** Another issuer's key. */
export const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "k1" } as Record<string, string>;

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** What a token has instead of what it should have. */
export interface TokenChange {
  readonly head?: object;
  readonly claims?: object;
  readonly key?: KeyObject;
}

/** The authorization of a push. */
export const bearer = (now: number, id: string, change: TokenChange = {}): Headers => {
  const head = { alg: "ES256", kid: "k1", ...change.head };
  const claims = { iss: "https://agent.example", aud: "godwit", iat: now, exp: now + 300, jti: id, ...change.claims };
  const text = `${base64url(head)}.${base64url(claims)}`;
  const key = change.key ?? privateKey;
  const signature =
    head.alg === "HS256"
      ? createHmac("sha256", publicKey.export({ type: "spki", format: "pem" }))
          .update(text)
          .digest()
      : signBytes("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" });
  return { authorization: `Bearer ${text}.${head.alg === "none" ? "" : signature.toString("base64url")}` };
};

const plain = (_now: number, id: string): object => ({ id, type: "thing.happened" });

const generic = (
  scheme: NonNullable<ConnectorBinding["signature_scheme"]>,
  sign: Sender["sign"],
  more: object = {},
) => ({
  name: `webhook ${scheme}`,
  provider: "webhook",
  binding: { signature_scheme: scheme, ...more },
  json_only: false,
  has_time: false,
  document: plain,
  sign,
});

const slackSign: Sender["sign"] = (body, now) => ({
  "x-slack-request-timestamp": String(now),
  "x-slack-signature": `v0=${hmac(SECRET, [`v0:${now}:`, body], "hex")}`,
});

const stripeSign: Sender["sign"] = (body, now) => ({
  "stripe-signature": `t=${now},v1=${hmac(SECRET, [`${now}.`, body], "hex")}`,
});

const githubSign: Sender["sign"] = (body) => ({ "x-hub-signature-256": `sha256=${hmac(SECRET, [body], "hex")}` });

/** Every sender that a trigger can listen to. */
export const SENDERS: readonly Sender[] = (
  [
    {
      name: "github",
      provider: "github",
      binding: {},
      json_only: true,
      has_time: false,
      document: () => ({ action: "opened", issue: { number: 1 } }),
      sign: (body, now, id) => ({ ...githubSign(body, now, id), "x-github-event": "issues", "x-github-delivery": id }),
    },
    {
      name: "slack",
      provider: "slack",
      binding: {},
      json_only: true,
      has_time: true,
      document: (_now, id) => ({ type: "event_callback", event_id: id, event: { type: "app_mention", user: "U1" } }),
      sign: slackSign,
    },
    {
      name: "linear",
      provider: "linear",
      binding: {},
      json_only: true,
      has_time: true,
      document: (now) => ({ type: "Issue", action: "update", webhookTimestamp: now * 1000, data: { id: "i" } }),
      sign: (body, _now, id) => ({ "linear-signature": hmac(SECRET, [body], "hex"), "linear-delivery": id }),
    },
    {
      name: "notion",
      provider: "notion",
      binding: {},
      json_only: true,
      has_time: false,
      document: (_now, id) => ({ id, type: "page.created", entity: { id: "p" } }),
      sign: (body) => ({ "x-notion-signature": `sha256=${hmac(SECRET, [body], "hex")}` }),
    },
    {
      name: "stripe",
      provider: "stripe",
      binding: {},
      json_only: true,
      has_time: true,
      document: (now, id) => ({ id, type: "invoice.paid", created: now, data: { object: {} } }),
      sign: stripeSign,
    },
    generic("github", githubSign),
    { ...generic("slack", slackSign), has_time: true },
    { ...generic("stripe", stripeSign), has_time: true },
    {
      ...generic("standard", (body, now, id) => ({
        "webhook-id": id,
        "webhook-timestamp": String(now),
        "webhook-signature": `v1,${hmac(Buffer.from(SECRET, "base64"), [`${id}.${now}.`, body], "base64")}`,
      })),
      has_time: true,
    },
    {
      ...generic("canonical", (body, now) => {
        const digest = createHash("sha256").update(body).digest("hex");
        const signature = hmac(SECRET, [`POST\n/hooks/t\n${now}\n${digest}`], "base64");
        return { authorization: `HMAC-SHA256 timestamp=${now},signature=${signature}` };
      }),
      has_time: true,
    },
    {
      ...generic(
        "hmac",
        (body, now) => ({ "x-time": String(now), "x-sign": `s=${hmac(SECRET, [`v1:${now}:`, body], "base64")}` }),
        {
          hmac: {
            header: "X-Sign",
            prefix: "s=",
            encoding: "base64",
            timestamp_header: "X-Time",
            message: "v1:{timestamp}:{body}",
          },
        },
      ),
      has_time: true,
    },
    generic("bearer", () => ({ authorization: `Bearer ${SECRET}` })),
    generic("api_key", () => ({ "x-api-key": SECRET })),
    {
      name: "a2a-push",
      provider: "a2a-push",
      binding: { a2a_push: { expected_iss: "https://agent.example", expected_aud: "godwit", jwks: { keys: [jwk] } } },
      json_only: false,
      has_time: true,
      document: (_now, id) => ({ task: { id, status: { state: "completed" } } }),
      sign: (_body, now, id) => bearer(now, id),
    },
  ] satisfies readonly Omit<Sender, "secrets">[]
).map((sender) => ({ ...sender, secrets: sender.provider === "a2a-push" ? [] : [SECRET] }));
