import { expect, it } from "vitest";
import { type ConnectorBinding, PROVEN } from "../../../src/connectors/connector.ts";
import { webhook } from "../../../src/connectors/webhook.ts";
import { NO_KEYS, request } from "./delivery.ts";

interface Given {
  readonly scheme?: NonNullable<ConnectorBinding["signature_scheme"]>;
  readonly source?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

const normalise = async (given: Given): Promise<unknown> => {
  const binding = { signature_scheme: given.scheme ?? "github", source: given.source };
  const result = await webhook.normalise(request({ headers: given.headers ?? {}, body: given.body }), binding, PROVEN);
  return result.ok ? result.value : result.error;
};

const order = '{"type": "order.paid", "timestamp": "2026-04-19T10:00:00Z", "event": "ignored"}';

it("[T-19.5] verifies with the scheme of the trigger", async () => {
  const signed = "sha256=ce19e5dbd432cb34f19b81b1d7d0de1a04228b19a5f1e9ad39fa62a16d8051ba";
  const delivery = request({ secret: "gen", body: order, headers: { "X-Hub-Signature-256": signed } });
  expect(await webhook.verify(delivery, { signature_scheme: "github" }, NO_KEYS)).toMatchObject({ ok: true });
  expect(webhook.style({ signature_scheme: "github" })).toBe("github");
  const stripe = request({
    secret: "gen",
    body: '{"id": "evt_9", "type": "invoice.paid"}',
    headers: { "Stripe-Signature": "t=1700000000,v1=fafb37eb813d20cec544dd8ea7b17e94d6b29a6797b6f0541644dfacb79102fa" },
  });
  expect(await webhook.verify(stripe, { signature_scheme: "stripe" }, NO_KEYS)).toMatchObject({ ok: true });
});

it("[T-19.5] without a scheme a sender is expected to follow Standard Webhooks", async () => {
  const refused = await webhook.verify(request({ body: order }), {}, NO_KEYS);
  expect(refused).toMatchObject({ ok: false, error: { kind: "missing_header", header: "webhook-id" } });
  expect(webhook.style({})).toBe("standard_webhooks");
});

it("[T-19.5] the kind is the GitHub event, the body's type, its event, or `webhook`", async () => {
  const headers = { "Content-Type": "application/json", "X-GitHub-Delivery": "d-1" };
  expect(await normalise({ source: "shop", headers, body: order })).toEqual({
    provider: "webhook",
    kind: "order.paid",
    occurred_at: "2026-04-19T10:00:00Z",
    dedupe_key: "d-1",
    headers: { "content-type": "application/json", "x-github-delivery": "d-1" },
    signature_status: { state: "verified" },
    provider_payload: {
      provider: "webhook",
      source: "shop",
      content_type: "application/json",
      raw: { type: "order.paid", timestamp: "2026-04-19T10:00:00Z", event: "ignored" },
    },
  });
  expect(await normalise({ body: order, headers: { "X-GitHub-Event": "push" } })).toMatchObject({ kind: "push" });
  expect(await normalise({ body: '{"event": "ping"}' })).toMatchObject({
    kind: "ping",
    dedupe_key: "sha256:fe6eef821b8292f677d9b617084772d6427ed72f233bcf8f1488f24795591799",
  });
  expect(await normalise({ body: "[1, 2]" })).toMatchObject({ kind: "webhook", provider_payload: { raw: [1, 2] } });
  expect(await normalise({ body: '{"type": ""}' })).toMatchObject({ kind: "webhook" });
});

it("[T-4.2] a body that is not JSON is kept whole as base64, and as text when it is some", async () => {
  expect(await normalise({ body: "plain text", headers: { "Content-Type": "text/plain" } })).toMatchObject({
    kind: "webhook",
    provider_payload: {
      content_type: "text/plain",
      raw: { raw_base64: "cGxhaW4gdGV4dA==", raw_utf8: "plain text" },
    },
  });
  expect(await normalise({ body: Uint8Array.of(0xff, 0x00) })).toMatchObject({
    provider_payload: { raw: { raw_base64: "/wA=", raw_utf8: null } },
  });
});

it("[T-4.2] a large body survives base64 unchanged", async () => {
  const body = new Uint8Array(100_000).fill(0xff);
  const raw_base64 = Buffer.from(body).toString("base64");
  expect(await normalise({ body })).toMatchObject({ provider_payload: { raw: { raw_base64 } } });
});

it("[T-4.2] the source is that of the trigger, or the one the sender gives", async () => {
  const headers = { "X-Webhook-Source": "crm" };
  expect(await normalise({ headers, body: "{}" })).toMatchObject({ provider_payload: { source: "crm" } });
  expect(await normalise({ headers, source: "shop", body: "{}" })).toMatchObject({
    provider_payload: { source: "shop" },
  });
  expect(await normalise({ body: "{}" })).toMatchObject({ provider_payload: { source: null } });
});

it("[T-19.5] the dedupe key is the id that the scheme's senders give", async () => {
  const body = '{"id": "evt_9", "type": "invoice.paid", "event_id": "Ev1"}';
  const headers = { "webhook-id": "msg_1", "x-github-delivery": "d-1" };
  const key = (scheme: Given["scheme"]): Promise<unknown> => normalise({ scheme: scheme ?? "github", headers, body });
  expect(await key("stripe")).toMatchObject({ kind: "invoice.paid", dedupe_key: "evt_9" });
  expect(await key("slack")).toMatchObject({ dedupe_key: "Ev1" });
  expect(await key("github")).toMatchObject({ dedupe_key: "d-1" });
  expect(await key("standard")).toMatchObject({ dedupe_key: "msg_1" });
  expect(await key("canonical")).toMatchObject({ dedupe_key: "msg_1" });
  const digest = { dedupe_key: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) };
  for (const scheme of ["stripe", "slack", "github", "standard", "canonical"] as const) {
    expect(await normalise({ scheme, body: "{}" })).toMatchObject(digest);
  }
});

it("[T-4.3] an id that cannot be stored and compared as it is counts as none", async () => {
  for (const id of [String.raw`\ud800`, String.raw`a\u0000b`, "x".repeat(257)]) {
    const event = await normalise({ scheme: "stripe", body: `{"id":"${id}","type":"${id}"}` });
    expect(event).toMatchObject({ kind: "webhook", dedupe_key: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) });
  }
});

const challenge = (scheme: "slack" | "stripe", body: string): string | null =>
  webhook.challenge?.(request({ body }), { signature_scheme: scheme }) ?? null;

it("[T-19.3] only Slack's own test has a text to be answered with (V8)", () => {
  const test = '{"type":"url_verification","challenge":"abc"}';
  expect(challenge("slack", test)).toBe("abc");
  expect(challenge("stripe", test)).toBeNull();
  expect(challenge("slack", '{"type":"event_callback","challenge":"abc"}')).toBeNull();
  expect(challenge("slack", "{")).toBeNull();
});

it("[T-4.4] the secret is no header of the event, whatever the header is called", async () => {
  const binding: ConnectorBinding = { signature_scheme: "api_key", api_key_header: "X-Shop-Auth", split_batches: true };
  const headers = { "X-Shop-Auth": "s3cret", "X-Shop": "main" };
  const delivery = request({ secrets: ["s3cret", "older"], headers, body: "[{}]" });
  expect(await webhook.verify(delivery, binding, NO_KEYS)).toMatchObject({ ok: true });
  const shown = { "x-shop-auth": "[redacted]", "x-shop": "main" };
  expect(await webhook.normalise(delivery, binding, PROVEN)).toMatchObject({ ok: true, value: { headers: shown } });
  expect(await webhook.normaliseBatch?.(delivery, binding)).toMatchObject({ ok: true, value: [{ headers: shown }] });
});
