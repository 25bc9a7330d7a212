import { describe, expect, it } from "vitest";
import { issuesOf, written } from "./fixture.ts";

const messages = (change: Readonly<Record<string, unknown>>): readonly string[] =>
  issuesOf(written({ match: {}, ...change })).map(({ path, message }) => `${path}: ${message}`);

const push = (a2a_push: object | undefined, more: object = {}): readonly string[] =>
  messages({ provider: "a2a-push", kind: "a2a-push", secret: undefined, a2a_push, ...more });

const JWT = { expected_iss: "https://a.example", expected_aud: "godwit" };

const described = (hmac: object | undefined): readonly string[] =>
  messages({ provider: "webhook", signature_scheme: "hmac", hmac });

describe("how deliveries are verified", () => {
  it("[T-5.7] every provider has its kind and its secret", () => {
    for (const provider of ["slack", "linear", "stripe"]) {
      expect(messages({ provider })).toEqual([]);
      expect(messages({ provider, secret: undefined })).toEqual([
        `secret: provider '${provider}' requires secret '${provider}/signing_secret'`,
      ]);
      expect(messages({ provider, kind: "poll" })).toEqual([
        `kind: provider '${provider}' does not support trigger kind 'poll'`,
      ]);
    }
    expect(messages({ provider: "notion", secret: undefined })).toEqual([]);
    expect(push(undefined)).toEqual(["secret: provider 'a2a-push' requires secret 'a2a-push/expected_token'"]);
    expect(push(undefined, { secret: "s" })).toEqual([]);
    expect(push({ auth_scheme: "none" })).toEqual([]);
    expect(push({ auth_scheme: "bearer" })).toHaveLength(1);
  });

  it("[T-19.5] a signed push needs issuer, audience and public keys", () => {
    const url = { jwks_url: "https://a.example/jwks" };
    expect(push({ ...JWT, ...url })).toEqual([]);
    expect(push({})).toEqual([
      "a2a_push.expected_iss: a2a-push requires a2a_push.expected_iss for JWT auth",
      "a2a_push.expected_aud: a2a-push requires a2a_push.expected_aud for JWT auth",
      "a2a_push.jwks_url: a2a-push requires a2a_push.jwks_url for JWT auth",
    ]);
    expect(push({ ...JWT, jwks_url: "http://a.example" })).toEqual(["a2a_push.jwks_url: must be an https address"]);
    expect(push({ ...JWT, ...url, jwks: { keys: [{ kty: "EC" }] } })).toEqual([
      "a2a_push.jwks_url: give `jwks` or `jwks_url`, not both",
    ]);
    for (const key of [
      { kty: "oct", k: "x" },
      { kty: "EC", d: "x" },
    ])
      expect(push({ ...JWT, jwks: { keys: [key] } })).toEqual(["a2a_push.jwks: must contain public keys only"]);
    expect(push({ auth_scheme: "x" })).toEqual(["a2a_push.auth_scheme: unsupported a2a-push auth_scheme `x`"]);
  });

  it("[T-5.1] a key that would have no effect is refused", () => {
    expect(messages({ provider: "slack", hmac: { header: "x" } })).toEqual(["hmac: `hmac` is for provider 'webhook'"]);
    expect(messages({ replay_grace_secs: 1 })).toEqual([
      "replay_grace_secs: `replay_grace_secs` is for provider 'linear'",
    ]);
    expect(messages({ tolerance_secs: 1 })).toEqual([
      "tolerance_secs: `tolerance_secs` is for schemes with a timestamp",
    ]);
    expect(messages({ a2a_push: {} })).toEqual(["a2a_push: `a2a_push` is for provider 'a2a-push'"]);
    expect(messages({ compatibility: "other" })).toHaveLength(1);
    expect(messages({ provider: "webhook", signature_scheme: "bearer", hmac: { header: "x" } })).toEqual([
      "hmac: `hmac` is for the scheme `hmac`",
    ]);
    expect(messages({ provider: "webhook", signature_scheme: "bearer", api_key_header: "x" })).toEqual([
      "api_key_header: `api_key_header` is for the scheme `api_key`",
    ]);
  });

  it("[T-19.2] an HMAC is described completely", () => {
    expect(described({ header: "X-Sig" })).toEqual([]);
    expect(described({ header: "X-Sig", timestamp_header: "X-At", message: "v0:{timestamp}:{body}" })).toEqual([]);
    expect(described(undefined)).toEqual(["hmac: the scheme `hmac` requires `hmac.header`"]);
    expect(described({ header: "a b" })).toEqual(["hmac.header: is not the name of a header"]);
    expect(described({ header: "x", message: "{timestamp}" })).toEqual([
      "hmac.message: must contain `{body}` once",
      "hmac.timestamp_header: `{timestamp}` requires it",
    ]);
    expect(described({ header: "x", timestamp_header: "t", message: "{body}" })).toHaveLength(1);
  });
});
