import { describe, expect, it } from "vitest";
import { SIGNATURE_SCHEMES } from "../../../src/connectors/webhook.ts";
import { signatureRejection, type WebhookError } from "../../../src/connectors/webhook-error.ts";
import { hmac, request, type Delivery } from "./delivery.ts";

type Scheme = keyof typeof SIGNATURE_SCHEMES;

const verify = async (scheme: Scheme, delivery: Delivery, windowMs?: number): Promise<string> => {
  const result = await SIGNATURE_SCHEMES[scheme].verify(request(delivery), windowMs);
  return result.ok ? result.value.state : `${result.error.kind}: ${result.error.message}`;
};

describe("github", () => {
  const secret = "It's a Secret to Everybody";
  const body = "Hello, World!";
  const hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  const signed = (header: string): Delivery => ({ secret, body, headers: { "X-Hub-Signature-256": header } });

  it("[T-19.3] the published example verifies, in either case of header names and digits", async () => {
    expect(await verify("github", signed(`sha256=${hex}`))).toBe("verified");
    expect(await verify("github", { secret, body, headers: { "X-HUB-SIGNATURE-256": `sha256=${hex}` } })).toBe(
      "verified",
    );
    expect(await verify("github", signed(`sha256=757107EA${hex.slice(8)}`))).toBe("verified");
  });

  it.each([
    ["another body", { ...signed(`sha256=${hex}`), body: "Hello, World?\n" }],
    ["another secret", { ...signed(`sha256=${hex}`), secret: "another secret" }],
    ["a signature of zeros", signed(`sha256=${"0".repeat(64)}`)],
    ["a signature that is too short", signed(`sha256=${hex.slice(2)}`)],
    ["an empty signature", signed("sha256=")],
    ["an empty secret", { ...signed(`sha256=${hex}`), secret: "" }],
  ])("[T-19.2] %s does not verify", async (_name, delivery) => {
    expect(await verify("github", delivery)).toBe("invalid_signature: signature did not match the raw request body");
  });

  it("[T-19.2] says which header is missing or cannot be read, in the order of evaluation", async () => {
    const missing = "missing_header: missing required header `x-hub-signature-256`";
    const prefix = "invalid_header: invalid header `x-hub-signature-256`: expected `sha256=` prefix";
    expect(await verify("github", { secret, body })).toBe(missing);
    expect(await verify("github", { secret, body, headers: { "X-Hub-Signature": "sha1=abc" } })).toBe(missing);
    expect(await verify("github", signed(`sha1=${hex}`))).toBe(prefix);
    expect(await verify("github", signed(hex))).toBe(prefix);
    expect(await verify("github", signed("sha256=zz"))).toMatch(
      /^invalid_header: invalid header `x-hub-signature-256`: /,
    );
    expect(await verify("github", signed("sha256=abc"))).toMatch(/^invalid_header: /);
  });

  it("[T-19.1] the signature covers the exact bytes, whatever they are", async () => {
    const header = { "x-hub-signature-256": "sha256=b96449395031928e48af70a49287eab1500dfaace9cfb5b45224380861e2b6e5" };
    const text = '{"title":"Ünïcode ☃","n":1}';
    expect(await verify("github", { secret: "s3cr3t", headers: header, body: text })).toBe("verified");
    expect(
      await verify("github", { secret: "s3cr3t", headers: header, body: '{"title": "Ünïcode ☃", "n": 1}' }),
    ).toMatch(/^invalid_signature/);
    const empty = { "x-hub-signature-256": "sha256=3c81cc9496e1c25250f6ccb85f697c1bb623e3480d6538ad8cb6a6648142777d" };
    expect(await verify("github", { secret: "s3cr3t", headers: empty, body: "" })).toBe("verified");
    const bytes = Uint8Array.of(0xff, 0xfe, 0x00, 0x80);
    const binary = { "x-hub-signature-256": `sha256=${hmac("s3cr3t", bytes, "hex")}` };
    expect(await verify("github", { secret: "s3cr3t", headers: binary, body: bytes })).toBe("verified");
  });

  it("[T-19.3] a secret longer than the block of the hash verifies", async () => {
    const header = "sha256=98770ab6dcb734ea4c447bc78208fa9ee4391a72de3939d0abccf83c92083795";
    expect(await verify("github", { ...signed(header), secret: "k".repeat(100) })).toBe("verified");
  });

  it("[T-19.1] while a secret is replaced, the old and the new one verify, and no other", async () => {
    const header = signed(`sha256=${hex}`);
    expect(await verify("github", { ...header, secrets: ["new", secret] })).toBe("verified");
    expect(await verify("github", { ...header, secrets: [secret, "old"] })).toBe("verified");
    expect(await verify("github", { ...header, secrets: ["new", "old"] })).toMatch(/^invalid_signature/);
    expect(await verify("github", { ...header, secrets: [] })).toMatch(/^invalid_signature/);
  });
});

describe("slack", () => {
  const delivery = {
    secret: "8f742231b10e8888abcd99yyyzzz85a5",
    headers: {
      "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
      "X-Slack-Request-Timestamp": "1531420618",
    },
    body:
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&" +
      "channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&" +
      "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&" +
      "trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    now: 1_531_420_618,
  };
  const at = (now: number): Delivery => ({ ...delivery, now });
  const withHeaders = (headers: Readonly<Record<string, string>>): Delivery => ({ ...delivery, headers });

  it("[T-19.3] the published example verifies up to five minutes either side, not beyond", async () => {
    for (const now of [1_531_420_618, 1_531_420_918, 1_531_420_318])
      expect(await verify("slack", at(now))).toBe("verified");
    for (const now of [1_531_420_919, 1_531_420_317]) {
      expect(await verify("slack", at(now))).toMatch(
        /^timestamp_out_of_window: timestamp 2018-07-12T18:36:58.000Z is /,
      );
    }
  });

  it("[T-19.2] the window is checked before the signature is looked at", async () => {
    const timestamp = { "x-slack-request-timestamp": "1531420618" };
    expect(await verify("slack", { ...withHeaders({}), now: 0 })).toBe(
      "missing_header: missing required header `x-slack-request-timestamp`",
    );
    expect(await verify("slack", withHeaders({ "x-slack-request-timestamp": "soon" }))).toMatch(
      /^invalid_header: invalid header `x-slack-request-timestamp`/,
    );
    expect(await verify("slack", { ...withHeaders(timestamp), now: 0 })).toMatch(/^timestamp_out_of_window/);
    expect(await verify("slack", withHeaders(timestamp))).toBe(
      "missing_header: missing required header `x-slack-signature`",
    );
    expect(await verify("slack", withHeaders({ ...timestamp, "x-slack-signature": "v1=00" }))).toBe(
      "invalid_header: invalid header `x-slack-signature`: expected `v0=` prefix",
    );
    expect(await verify("slack", withHeaders({ ...timestamp, "x-slack-signature": "v0=zz" }))).toMatch(
      /^invalid_header/,
    );
    expect(await verify("slack", withHeaders({ ...timestamp, "x-slack-signature": "v0=00" }))).toBe(
      "invalid_signature: slack signature mismatch",
    );
  });

  it("[T-19.2] the text of the timestamp header is signed, not its number", async () => {
    const body = "x";
    const signature = `v0=${hmac("s", `v0:+100:${body}`, "hex")}`;
    const headers = { "x-slack-request-timestamp": "+100", "x-slack-signature": signature };
    expect(await verify("slack", { secret: "s", headers, body, now: 100 })).toBe("verified");
  });

  it("[T-19.2] a timestamp that is no moment is an invalid header", async () => {
    const headers = { "x-slack-request-timestamp": "9".repeat(30), "x-slack-signature": "v0=00" };
    expect(await verify("slack", withHeaders(headers))).toMatch(/^invalid_header/);
  });
});

const stripeSigned = (header: string, now = 12_350): Delivery => ({
  secret: "whsec_test_secret",
  headers: { "Stripe-Signature": header },
  body: '{\n  "id": "evt_test_webhook",\n  "object": "event"\n}',
  now,
});

describe("stripe", () => {
  const v1 = "v1=2672d138c9a412830f3bfe2ecc5bfb3277cf6f5b49d0119d77dd6cb64da1257e";

  it("[T-19.3] the vendor's fixture verifies; one match is enough and unknown parts are ignored", async () => {
    expect(await verify("stripe", stripeSigned(`t=12345,${v1}`), 30_000)).toBe("verified");
    expect(await verify("stripe", stripeSigned(`t=12345,v1=${"0".repeat(64)},${v1},v0=abc,junk`), 30_000)).toBe(
      "verified",
    );
    expect(await verify("stripe", stripeSigned(`${v1},t=12345`))).toBe("verified");
  });

  it("[T-19.2] the window is that of the caller, or five minutes", async () => {
    expect(await verify("stripe", stripeSigned(`t=12345,${v1}`, 12_400), 10_000)).toBe(
      "timestamp_out_of_window: timestamp 1970-01-01T03:25:45.000Z is outside the allowed verification window of 10s " +
        "around 1970-01-01T03:26:40.000Z",
    );
    expect(await verify("stripe", stripeSigned(`t=12345,${v1}`, 12_645))).toBe("verified");
    expect(await verify("stripe", stripeSigned(`t=12345,${v1}`, 12_646))).toMatch(/^timestamp_out_of_window/);
  });

  it("[T-19.2] says what is wrong with the header, in the order of evaluation", async () => {
    const invalid = "invalid_header: invalid header `stripe-signature`: ";
    // Nothing may stand behind a signature.
    expect(await verify("stripe", stripeSigned(`t=12345,${v1}=`))).toBe(
      `${invalid}the \`v1=\` signature is not hexadecimal`,
    );
    expect(await verify("stripe", { headers: {} })).toBe("missing_header: missing required header `stripe-signature`");
    expect(await verify("stripe", stripeSigned("t=now"))).toMatch(/^invalid_header/);
    expect(await verify("stripe", stripeSigned("v1=zz,t=12345"))).toMatch(/^invalid_header/);
    expect(await verify("stripe", stripeSigned(v1))).toBe(`${invalid}missing \`t=\` timestamp component`);
    expect(await verify("stripe", stripeSigned("t=1"))).toMatch(/^timestamp_out_of_window/);
    expect(await verify("stripe", stripeSigned("t=12345"))).toBe(`${invalid}missing \`v1=\` signature component`);
    expect(await verify("stripe", stripeSigned("t=12345,v1=00"))).toBe(
      "invalid_signature: no stripe signature matched the raw request body",
    );
  });
});

const missing = (header: string): string => `missing_header: missing required header \`${header}\``;

describe("standard webhooks", () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const v1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  const all = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-signature": v1,
    "webhook-timestamp": "1614265330",
  };
  const body = '{"test": 2432232314}';
  const signed = (change: Partial<Record<keyof typeof all, string>> = {}, now = 1_614_265_330): Delivery => ({
    secret,
    headers: { ...all, ...change },
    body,
    now,
  });

  it("[T-19.3] the published example verifies, with and without the secret's prefix", async () => {
    expect(await verify("standard", signed())).toBe("verified");
    expect(await verify("standard", { ...signed(), secret: secret.slice("whsec_".length) })).toBe("verified");
    expect(await verify("standard", signed({ "webhook-signature": v1.replace("=", "") }))).toBe("verified");
    expect(await verify("standard", { ...signed(), secrets: ["not base64!", secret] })).toBe("verified");
  });

  it("[T-19.3] one of several signatures is enough; five minutes either side, not beyond", async () => {
    const several = { "webhook-signature": `v1,${"eHh4".repeat(10)}eHg= ${v1} v2,abc` };
    expect(await verify("standard", signed(several, 1_614_265_630))).toBe("verified");
    expect(await verify("standard", signed({}, 1_614_265_631))).toMatch(/^timestamp_out_of_window/);
    expect(await verify("standard", signed({}, 1_614_265_029))).toMatch(/^timestamp_out_of_window/);
  });

  it("[T-19.2] says what is wrong, in the order of evaluation", async () => {
    const { "webhook-id": id, "webhook-signature": signature } = all;
    expect(await verify("standard", { ...signed(), headers: {} })).toBe(missing("webhook-id"));
    expect(await verify("standard", { ...signed(), headers: { "webhook-id": id } })).toBe(missing("webhook-signature"));
    expect(
      await verify("standard", { ...signed(), headers: { "webhook-id": id, "webhook-signature": signature } }),
    ).toBe(missing("webhook-timestamp"));
    expect(await verify("standard", signed({ "webhook-timestamp": "1.5" }))).toMatch(
      /^invalid_header: invalid header `webhook-timestamp`/,
    );
    expect(await verify("standard", { ...signed({ "webhook-signature": "x" }), secret: "no base64!" })).toMatch(
      /^invalid_header: invalid header `webhook-secret`/,
    );
    expect(await verify("standard", signed({ "webhook-signature": "v1a,abc" }))).toBe(
      "invalid_header: invalid header `webhook-signature`: missing `v1,` signature entry",
    );
    expect(await verify("standard", signed({ "webhook-signature": `${v1} v1,a` }))).toMatch(
      /^invalid_header: invalid header `webhook-signature`/,
    );
    expect(await verify("standard", signed({ "webhook-signature": "v1,AAAA" }))).toBe(
      "invalid_signature: no standard-webhooks signature matched the raw request body",
    );
  });
});

describe("canonical request", () => {
  const signature = "FZ+GaxFSwKYGue9a9qh2A3AVLPCKiPVFpPz3Apsh0Cw";
  const authorization = `HMAC-SHA256 timestamp=1700000000,signature=${signature}=`;
  const signed = (change: Delivery = {}, header = authorization): Delivery => ({
    method: "POST",
    path: "/a2a/review",
    body: '{"task":"review"}',
    secret: "shared-secret",
    headers: { authorization: header },
    ...change,
  });

  it("[T-19.3] the example verifies; the method's case, spaces and missing padding are forgiven", async () => {
    expect(await verify("canonical", signed())).toBe("verified");
    const loose = `HMAC-SHA256 key-id=k1, timestamp=1700000000, signature=${signature}`;
    expect(await verify("canonical", signed({ method: "post" }, loose))).toBe("verified");
  });

  it.each<[string, Delivery]>([
    ["path", { path: "/a2a/other" }],
    ["method", { method: "PUT" }],
    ["body", { body: '{"task":"review"} ' }],
  ])("[T-19.2] another %s does not verify", async (_name, change) => {
    expect(await verify("canonical", signed(change))).toBe(
      "invalid_signature: signature did not match the canonical request",
    );
  });

  it("[T-19.2] says what is wrong, in the order of evaluation", async () => {
    const invalid = "invalid_header: invalid header `authorization`: ";
    const scheme = `${invalid}expected \`HMAC-SHA256\` authorization scheme`;
    const header = (text: string): Promise<string> => verify("canonical", signed({}, text));
    expect(await verify("canonical", signed({ headers: {} }))).toBe(
      "missing_header: missing required header `authorization`",
    );
    expect(await header("hmac-sha256 timestamp=1")).toBe(scheme);
    expect(await header("HMAC-SHA256x timestamp=1")).toBe(scheme);
    expect(await header("HMAC-SHA256")).toBe(`${invalid}missing signature parameters`);
    expect(await header("HMAC-SHA256 junk")).toBe(`${invalid}missing \`timestamp=\` parameter`);
    expect(await header("HMAC-SHA256 timestamp=x")).toMatch(/^invalid_header/);
    expect(await verify("canonical", signed({ now: 1_700_000_301 }))).toMatch(/^timestamp_out_of_window/);
    expect(await header("HMAC-SHA256 timestamp=1700000000")).toBe(`${invalid}missing \`signature=\` parameter`);
    expect(await header("HMAC-SHA256 timestamp=1700000000,signature=!")).toMatch(/^invalid_header/);
  });
});

describe("audit", () => {
  it("[T-19.1] a rejection is recorded with its style, and with the signature's time when that was the reason", async () => {
    const now = 12_646_000;
    const delivery = { headers: { "stripe-signature": "t=12345,v1=00" }, now: 12_646 };
    const refused = await SIGNATURE_SCHEMES.stripe.verify(request(delivery));
    const error: WebhookError | null = refused.ok ? null : refused.error;
    expect(error?.kind).toBe("timestamp_out_of_window");
    if (error === null) return;
    const from = { provider: "webhook", style: SIGNATURE_SCHEMES.stripe.style, now };
    expect(signatureRejection(error, from)).toEqual({
      provider: "webhook",
      style: "stripe",
      reason: error.message,
      observed_at: "1970-01-01T03:30:46.000Z",
      signed_at: "1970-01-01T03:25:45.000Z",
      window_seconds: 300,
    });
    const plain = signatureRejection({ kind: "invalid_signature", message: "no" }, from);
    expect(plain).toMatchObject({ reason: "no", signed_at: null, window_seconds: null });
  });
});
