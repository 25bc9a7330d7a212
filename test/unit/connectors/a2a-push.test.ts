import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { a2aPush } from "../../../src/connectors/a2a-push.ts";
import type { ConnectorBinding, KeySource } from "../../../src/connectors/connector.ts";
import { type Delivery, hmac, NO_KEYS, request } from "./delivery.ts";

const NOW = 1_776_600_000;
const ISS = "https://agent.example";
const AUD = "godwit";
const URL_OF_KEYS = "https://agent.example/jwks";

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;
let keys: Keys;
let publicJwk: Record<string, string>;

beforeAll(async () => {
  keys = await generateKeyPair("ES256", { extractable: true });
  publicJwk = { ...((await exportJWK(keys.publicKey)) as Record<string, string>), kid: "k1" };
});

const token = (claims: object = {}, head: object = {}): Promise<string> =>
  new SignJWT({ iss: ISS, aud: AUD, iat: NOW, exp: NOW + 300, jti: "j1", ...claims })
    .setProtectedHeader({ alg: "ES256", kid: "k1", ...head })
    .sign(keys.privateKey);

const bound = (more: object = {}): ConnectorBinding => ({
  id: "push",
  a2a_push: { expected_iss: ISS, expected_aud: AUD, jwks: { keys: [publicJwk] }, ...more },
});

const verdict = async (delivery: Delivery, binding: ConnectorBinding, keySource?: KeySource): Promise<string> => {
  const given = request({ now: NOW, secrets: [], ...delivery });
  const proof = await a2aPush.verify(given, binding, keySource === undefined ? NO_KEYS : { keys: keySource });
  return proof.ok
    ? (proof.value.token?.jti ?? proof.value.status.state)
    : `${proof.error.kind}: ${proof.error.message}`;
};

const bearer = (text: string): Delivery => ({ headers: { Authorization: `Bearer ${text}` }, body: "{}" });

const withToken = async (change: Delivery, claims = {}): Promise<string> =>
  verdict({ ...bearer(await token(claims)), secrets: ["t0ken"], ...change }, bound());

const symmetricKeys: KeySource = () => Promise.resolve([{ kty: "oct", k: "c2VjcmV0", kid: "k1" }]);

describe("signed tokens", () => {
  it("[T-19.5] a token of the issuer for this audience proves a push", async () => {
    expect(await verdict(bearer(await token()), bound())).toBe("j1");
    expect(await verdict(bearer(await token({ aud: ["x", AUD] })), bound())).toBe("j1");
    expect(await verdict(bearer(await token({}, { kid: undefined })), bound())).toBe("j1");
  });

  it.each([
    ["another issuer", { iss: "x" }, "claim iss is not the expected one"],
    ["another audience", { aud: "x" }, "claim aud is not the expected one"],
    ["one that is over", { exp: NOW }, "exp is not in the future"],
    ["no end", { exp: undefined }, "is missing exp"],
    ["a time to come", { iat: NOW + 61 }, "iat is in the future"],
    ["no time", { iat: undefined }, "is missing iat"],
    ["no id", { jti: undefined }, "missing jti"],
  ])("[T-19.5] refuses %s", async (_name, claims, message) => {
    expect(await verdict(bearer(await token(claims)), bound())).toBe(`invalid_signature: a2a-push JWT ${message}`);
  });

  it("[T-25] the key decides the algorithm, not the token", async () => {
    const secret = new TextEncoder().encode(JSON.stringify(publicJwk));
    const confused = await new SignJWT({ iss: ISS, aud: AUD, iat: NOW, exp: NOW + 9, jti: "j" })
      .setProtectedHeader({ alg: "HS256", kid: "k1" })
      .sign(secret);
    const refused = "invalid_signature: a2a-push JWT has an algorithm that is not allowed";
    expect(await verdict(bearer(confused), bound())).toBe(refused);
    const [, payload] = (await token()).split(".");
    const none = `${Buffer.from('{"alg":"none","kid":"k1"}').toString("base64url")}.${payload}.`;
    expect(await verdict(bearer(none), bound())).toBe(refused);
    expect(await verdict(bearer(await token()), bound({ algorithms: ["RS256"] }))).toBe(refused);
  });

  it("[T-25] keys are read once more when one is missing, and symmetric keys behind an address are no keys", async () => {
    const asked: boolean[] = [];
    const rotated: KeySource = (url, { refresh }) => {
      expect(url).toBe(URL_OF_KEYS);
      asked.push(refresh);
      return Promise.resolve(refresh ? [publicJwk] : [{ ...publicJwk, kid: "old" }]);
    };
    const binding = bound({ jwks: undefined, jwks_url: URL_OF_KEYS });
    expect(await verdict(bearer(await token()), binding, rotated)).toBe("j1");
    expect(asked).toEqual([false, true]);
    expect(await verdict(bearer(await token()), binding, symmetricKeys)).toBe(
      "invalid_signature: a2a-push JWT kid `k1` was not found in JWKS",
    );
    expect(await verdict(bearer(await token()), binding)).toMatch(/^unavailable: /);
  });

  it("[T-19.5] the trigger's own token has to come along", async () => {
    expect(await withToken({})).toBe("invalid_signature: a2a-push token did not match");
    expect(await withToken({ body: '{"token":"t0ken"}' })).toBe("j1");
    expect(await withToken({}, { token: "t0ken" })).toBe("j1");
    expect(await withToken({}, { token: "other" })).toBe("invalid_signature: a2a-push token did not match");
  });
});

const eventOf = async (raw: object, binding: ConnectorBinding = bound()): Promise<unknown> => {
  const given = request({ body: JSON.stringify(raw), now: NOW });
  const event = await a2aPush.normalise(given, binding, { status: { state: "verified" } });
  return event.ok ? event.value : event.error;
};

const needs = (what: string): string => `a2a-push binding \`b\` requires a2a_push.${what}`;

const activationMessage = (a2a_push: NonNullable<ConnectorBinding["a2a_push"]>): string | undefined =>
  a2aPush.activate?.({ id: "b", compatibility: "harn", a2a_push })?.message;

const unconfigured = (headers: Readonly<Record<string, string>>): Promise<string> =>
  verdict({ headers, body: '{"task":"review"}', secrets: ["s"], path: "/hooks/t" }, {});

describe("other ways", () => {
  it("[T-20.3] without any setting the secret is an api key, a bearer token, or signs the request", async () => {
    expect(await unconfigured({ "x-api-key": "s" })).toBe("verified");
    expect(await unconfigured({ "x-api-key": "x", authorization: "Bearer s" })).toMatch(/^invalid_signature/);
    expect(await unconfigured({ authorization: "Bearer s" })).toBe("verified");
    const digest = "b6bd7716590080313f39cf62b6867584109cd484ac4c78a48d8a4160ecac4785";
    const signature = hmac("s", `POST\n/hooks/t\n${NOW}\n${digest}`, "base64");
    expect(await unconfigured({ authorization: `HMAC-SHA256 timestamp=${NOW},signature=${signature}` })).toBe(
      "verified",
    );
    expect(await unconfigured({})).toBe("missing_header: missing required header `authorization`");
    expect(a2aPush.needsSecret?.({})).toBe(true);
  });

  it("[T-19.5] a fixed token is a bearer token or an api key; none is asked for only when the trigger says so", async () => {
    const given = { headers: { "x-api-key": "s" }, secrets: ["s"] };
    expect(await verdict(given, { a2a_push: { auth_scheme: "api-key" } })).toBe("verified");
    expect(await verdict(given, { a2a_push: { auth_scheme: "bearer-token" } })).toMatch(/^missing_header/);
    expect(await verdict({ ...bearer("s"), secrets: ["s"] }, { a2a_push: { auth_scheme: "bearer" } })).toBe("verified");
    expect(await verdict({}, { a2a_push: { auth_scheme: "none" } })).toBe("unsigned");
    expect(a2aPush.needsSecret?.({ a2a_push: { auth_scheme: "none" } })).toBe(false);
  });

  it("[T-19.5] what a binding lacks is said when it is activated", () => {
    expect(activationMessage({ expected_aud: AUD })).toBe(needs("expected_iss for JWT auth"));
    expect(activationMessage({ expected_iss: ISS })).toBe(needs("expected_aud for JWT auth"));
    expect(activationMessage({ expected_iss: ISS, expected_aud: AUD })).toBe(needs("jwks_url for JWT auth"));
    expect(activationMessage({ auth_scheme: "bearer" })).toBe(needs("expected_token for bearer-token auth"));
    expect(activationMessage({ auth_scheme: "x" as "none" })).toBe("unsupported a2a-push auth_scheme `x`");
    expect(activationMessage({ auth_scheme: "none" })).toBeUndefined();
  });

  it("[T-19.5] the event says what the push is about", async () => {
    const at = "2026-04-19T12:00:00Z";
    const update = { taskId: "t1", status: { state: "cancelled" }, metadata: { timestamp: at } };
    expect(await eventOf({ statusUpdate: update, fromAgentUrl: "a" })).toMatchObject({
      kind: "a2a.task.canceled",
      occurred_at: at,
      dedupe_key: expect.stringMatching(/^sha256:/),
      provider_payload: { task_id: "t1", task_state: "canceled", sender: "a" },
    });
    expect(await eventOf({ artifactUpdate: { taskId: "t", artifact: { a: 1 } } })).toMatchObject({
      kind: "a2a.task.artifact",
      provider_payload: { task_id: "t", artifact: { a: 1 } },
    });
    expect(await eventOf({ message: {} })).toMatchObject({ kind: "a2a.task.message" });
    expect(await eventOf({ task_id: "t" })).toMatchObject({ kind: "a2a.task.update" });
    expect(await eventOf({}, { compatibility: "harn" })).toMatchObject({ kind: "push" });
  });
});
