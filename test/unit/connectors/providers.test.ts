import { describe, expect, it } from "vitest";
import type { Connector, ConnectorBinding } from "../../../src/connectors/connector.ts";
import { cron, manual } from "../../../src/connectors/in-process.ts";
import { linear } from "../../../src/connectors/linear.ts";
import { notion } from "../../../src/connectors/notion.ts";
import { slack } from "../../../src/connectors/slack.ts";
import { stripe } from "../../../src/connectors/stripe.ts";
import { webhook } from "../../../src/connectors/webhook.ts";
import { type Delivery, hmac, NO_KEYS, request } from "./delivery.ts";

const NOW = 1_776_600_000;
const DIGEST = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);

/** What a delivery becomes: the event, or why it is refused. */
const taken = async (connector: Connector, delivery: Delivery, binding: ConnectorBinding = {}): Promise<unknown> => {
  const given = request({ now: NOW, ...delivery });
  const proof = await connector.verify(given, binding, NO_KEYS);
  if (!proof.ok) return `${proof.error.kind}: ${proof.error.message}`;
  const event = await connector.normalise(given, binding, proof.value);
  return event.ok ? event.value : `${event.error.kind}: ${event.error.message}`;
};

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

const slackDelivery = (body: string, more: Readonly<Record<string, string>> = {}): Delivery => ({
  body,
  headers: {
    "X-Slack-Request-Timestamp": String(NOW),
    "X-Slack-Signature": `v0=${hmac("secret", `v0:${NOW}:${body}`, "hex")}`,
    ...more,
  },
});

const slackEvent = (event: object): Promise<unknown> =>
  taken(slack, slackDelivery(JSON.stringify({ type: "event_callback", event_id: "Ev1", event })));

describe("slack", () => {
  it("[T-19.5] the kind is the inner type, with the channel of a message", async () => {
    const kinds = {
      channel: "channels",
      group: "groups",
      im: "im",
      mpim: "mpim",
      app_home: "app_home",
      other: "other",
    };
    for (const [channel_type, kind] of Object.entries(kinds)) {
      const event = await slackEvent({ type: "message", channel_type, event_ts: "1776600000.000100" });
      expect(event).toMatchObject({
        kind: `message.${kind}`,
        dedupe_key: "Ev1",
        occurred_at: "2026-04-19T12:00:00Z",
        signature_status: { state: "verified" },
      });
    }
    expect(await slackEvent({ type: "message" })).toMatchObject({ kind: "message", occurred_at: null });
    expect(await slackEvent({ type: "app_mention", channel_type: "channel" })).toMatchObject({ kind: "app_mention" });
  });

  it("[T-19.5] a type that is missing is named", async () => {
    const refused = (body: object): Promise<unknown> => taken(slack, slackDelivery(JSON.stringify(body)));
    expect(await refused({})).toBe("unsupported: slack payload missing top-level type");
    expect(await refused({ type: "event_callback" })).toBe("unsupported: slack event_callback missing event");
    expect(await refused({ type: "event_callback", event: {} })).toBe("unsupported: slack event missing type");
    expect(await taken(slack, slackDelivery("{"))).toMatch(/^json: /);
  });

  it("[T-19.5] the time of the event is the outer one where the inner has none; without an id the body is the key", async () => {
    const body = JSON.stringify({ type: "event_callback", event_time: NOW, event: { type: "team_join" } });
    expect(await taken(slack, slackDelivery(body))).toMatchObject({
      kind: "team_join",
      occurred_at: "2026-04-19T12:00:00Z",
      dedupe_key: DIGEST,
    });
  });

  it("[T-19.5] slash commands and interactions are events, answered with nothing", async () => {
    const command = "command=%2Fgo&text=a+b&team_id=T1&user_id=U1&channel_id=C1&trigger_id=1.2";
    expect(await taken(slack, slackDelivery(command, FORM))).toMatchObject({
      kind: "slash_command",
      dedupe_key: "1.2",
      provider_payload: { team_id: "T1", user_id: "U1", channel_id: "C1", raw: { command: "/go", text: "a b" } },
    });
    const payload = { type: "block_actions", team: { id: "T1" }, user: { id: "U1" }, channel: { id: "C1" } };
    const form = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    expect(await taken(slack, slackDelivery(form, FORM))).toMatchObject({
      kind: "block_actions",
      dedupe_key: DIGEST,
      provider_payload: { team_id: "T1", user_id: "U1", channel_id: "C1" },
    });
    expect(slack.answer?.(request({ headers: FORM }))).toEqual({ status: 200, headers: {}, body: null });
    expect(slack.answer?.(request({}))).toBeNull();
    for (const bad of ["payload=%7B", "payload=%7B%7D", ""])
      expect(await taken(slack, slackDelivery(bad, FORM))).toMatch(/^(?:json|unsupported): /);
  });

  it("[T-19.5] what is refused for good need not be sent again", () => {
    expect([400, 401, 413, 422].map((status) => slack.headersFor?.(status))).toEqual(
      Array.from({ length: 4 }, () => ({ "x-slack-no-retry": "1" })),
    );
    expect([200, 429, 500, 503].map((status) => slack.headersFor?.(status))).toEqual([{}, {}, {}, {}]);
  });
});

const linearDelivery = (document: object, more: Readonly<Record<string, string>> = {}): Delivery => {
  const body = JSON.stringify({ webhookTimestamp: NOW * 1000, ...document });
  return { body, headers: { "Linear-Signature": ` ${hmac("secret", body, "hex")} `, ...more } };
};

const linearRefusal = (delivery: Delivery): Promise<unknown> => taken(linear, delivery);

describe("linear", () => {
  it("[T-19.5] the kind is type and action, the key the delivery or the hook", async () => {
    const headers = { "Linear-Delivery": "d1" };
    const document = { type: "IssueComment", action: "create", webhookId: "h1", data: { id: "c" } };
    expect(await taken(linear, linearDelivery(document, headers))).toMatchObject({
      kind: "comment.create",
      dedupe_key: "d1",
      occurred_at: "2026-04-19T12:00:00Z",
      provider_payload: { event: "comment", comment: { id: "c" }, webhook_id: "h1" },
    });
    expect(await taken(linear, linearDelivery(document))).toMatchObject({ dedupe_key: "h1" });
    expect(await taken(linear, linearDelivery({}, { "Linear-Event": "Cycle" }))).toMatchObject({
      kind: "cycle.update",
      dedupe_key: DIGEST,
    });
    expect(await taken(linear, linearDelivery({}))).toMatchObject({ kind: "other.update" });
  });

  it("[T-19.2] says what is wrong in the order of evaluation", async () => {
    expect(await linearRefusal({ body: "{" })).toMatch(/^json: /);
    expect(await linearRefusal({ body: "{}" })).toBe(
      "invalid_header: invalid header `webhookTimestamp`: missing from payload body",
    );
    expect(await linearRefusal({ body: '{"webhookTimestamp":"soon"}' })).toMatch(
      /^invalid_header: invalid header `webhook/,
    );
    expect(await linearRefusal({ body: '{"webhookTimestamp":1}' })).toBe(
      "timestamp_out_of_window: timestamp 1970-01-01T00:00:00.001Z is outside the allowed verification window of 75s around 2026-04-19T12:00:00.000Z",
    );
    const body = `{"webhookTimestamp":"${NOW * 1000}"}`;
    expect(await linearRefusal({ body })).toBe("missing_header: missing required header `linear-signature`");
    expect(await linearRefusal({ body, headers: { "Linear-Signature": "zz" } })).toMatch(/^invalid_header: /);
    expect(await linearRefusal({ body, headers: { "Linear-Signature": "00" } })).toBe(
      "invalid_signature: signature did not match the raw request body",
    );
  });

  it("[T-19.2] the example of the specification verifies (V5)", async () => {
    const body = '{"action":"update","type":"Issue","webhookTimestamp":1767225600000}';
    const headers = { "Linear-Signature": "cf9094136523192af8358936681b2fc4373c1eccf541f5dc5168bcb4e491849f" };
    const at = (seconds: number, binding = {}): Promise<unknown> =>
      taken(linear, { secret: "linear-secret", body, headers, now: 1_767_225_600 + seconds }, binding);
    for (const seconds of [-75, 0, 75]) expect(await at(seconds)).toMatchObject({ kind: "issue.update" });
    for (const seconds of [-76, 76]) expect(await at(seconds)).toMatch(/^timestamp_out_of_window/);
    expect(await at(61, { replay_grace_secs: 0 })).toMatch(/^timestamp_out_of_window/);
  });
});

const notionEvent = (timestamp: string, id: string): Promise<unknown> =>
  taken(notion, notionDelivery(JSON.stringify({ id, timestamp, entity: { id: "p" } })));

const notionDelivery = (body: string): Delivery => ({
  body,
  headers: { "X-Notion-Signature": `sha256=${hmac("secret", body, "hex")}` },
});

describe("notion", () => {
  it("[T-19.2] the example of the specification verifies (V6)", async () => {
    const headers = {
      "X-Notion-Signature": "sha256=269e45ad829bb509eb9690c5e0359cfd131889acaa5b75b36964ed96a8d6eaf0",
    };
    const body = '{"id":"evt_1","type":"page.content_updated"}';
    expect(await taken(notion, { secret: "secret_notion_token", body, headers })).toMatchObject({
      kind: "page.content_updated",
      dedupe_key: "notion:evt_1",
    });
  });

  it("[T-25] the handshake is taken only while there is no token", async () => {
    const handshake: Delivery = { body: '{"verification_token":"secret_1"}', secrets: [] };
    expect(notion.handshake?.(request(handshake))).toBe("secret_1");
    expect(await taken(notion, handshake, { id: "pages" })).toMatchObject({
      kind: "subscription.verification",
      dedupe_key: "notion-handshake:pages",
      signature_status: { state: "unsigned" },
    });
    expect(notion.handshake?.(request({ ...handshake, secrets: ["secret"] }))).toBeNull();
    expect(await taken(notion, { ...handshake, secrets: ["secret"] })).toBe(
      "missing_header: missing required header `x-notion-signature`",
    );
    expect(await taken(notion, notionDelivery('{"verification_token":"x"}'))).toMatchObject({ kind: "notion.webhook" });
    expect(await taken(notion, { body: '{"type":"x"}', secrets: [] }, { id: "pages" })).toBe(
      "activation: notion webhook binding `pages` requires secrets.verification_token after the setup handshake",
    );
  });

  it("[T-19.5] events about one thing within a minute are one", async () => {
    const first = await notionEvent("2026-04-19T12:34:56Z", "e1");
    expect(first).toMatchObject({ dedupe_key: "notion:p:29610034" });
    expect(await notionEvent("2026-04-19T12:34:59Z", "e2")).toMatchObject({ dedupe_key: "notion:p:29610034" });
    expect(await notionEvent("2026-04-19T12:35:00Z", "e3")).toMatchObject({ dedupe_key: "notion:p:29610035" });
    expect(await notionEvent("yesterday", "e4")).toMatchObject({ dedupe_key: "notion:e4", occurred_at: null });
  });
});

it("[T-19.5] Stripe's events are known by their ids and say what they are about", async () => {
  const document = {
    id: "evt_1",
    type: "invoice.paid",
    created: NOW,
    livemode: true,
    data: { object: { id: "in_1" } },
  };
  const signed = (body: string): Delivery => ({
    body,
    headers: { "Stripe-Signature": `t=${NOW},v1=${hmac("secret", `${NOW}.${body}`, "hex")}` },
  });
  expect(await taken(stripe, signed(JSON.stringify(document)))).toMatchObject({
    provider: "stripe",
    kind: "invoice.paid",
    dedupe_key: "evt_1",
    occurred_at: "2026-04-19T12:00:00Z",
    provider_payload: { provider: "stripe", event_id: "evt_1", livemode: true, object: { id: "in_1" } },
  });
  expect(await taken(stripe, signed("{}"))).toMatchObject({ kind: "webhook", dedupe_key: DIGEST });
  expect(await taken(stripe, signed("{"))).toMatch(/^json: /);
  const late = { ...signed("{}"), now: NOW + 11 };
  expect(await taken(stripe, late, { tolerance_secs: 10 })).toMatch(/^timestamp_out_of_window/);
});

const body = '{"type":"x"}';

const withKey = (headers: Readonly<Record<string, string>>, name?: string, secret = "secret"): Promise<unknown> =>
  taken(webhook, { body, headers, secret }, { signature_scheme: "api_key", api_key_header: name });

const withBearer = (value: string): Promise<unknown> =>
  taken(webhook, { body, headers: { Authorization: value } }, { signature_scheme: "bearer" });

describe("any other sender", () => {
  it("[T-19.2] an HMAC is what the trigger says it is", async () => {
    const settings = { header: "X-Sig", prefix: "sha256:", encoding: "base64", timestamp_header: "X-At" } as const;
    const binding = { signature_scheme: "hmac", hmac: settings } as const;
    const sig = `sha256:${hmac("secret", `${NOW}.${body}`, "base64")}`;
    const sent = (headers: Readonly<Record<string, string>>, now = NOW): Promise<unknown> =>
      taken(webhook, { body, headers, now }, binding);
    const good = { "x-at": String(NOW), "x-sig": sig };
    expect(await sent(good)).toMatchObject({ kind: "x" });
    expect(await sent(good, NOW + 301)).toMatch(/^timestamp_out_of_window/);
    expect(await sent({ "x-sig": sig })).toBe("missing_header: missing required header `x-at`");
    expect(await sent({ "x-at": String(NOW) })).toBe("missing_header: missing required header `x-sig`");
    expect(await sent({ ...good, "x-sig": "z" })).toBe(
      "invalid_header: invalid header `x-sig`: expected `sha256:` prefix",
    );
    expect(await sent({ ...good, "x-sig": "sha256:???" })).toMatch(/^invalid_header: .*not base64$/);
    expect(await sent({ ...good, "x-at": String(NOW - 1) })).toMatch(/^invalid_signature/);
    const bare = { signature_scheme: "hmac", hmac: { header: "x-sig", encoding: "hex" } } as const;
    const hex = { "x-sig": hmac("secret", body, "hex") };
    expect(await taken(webhook, { body, headers: hex }, bare)).toMatchObject({ kind: "x" });
  });

  it("[T-25] a fixed secret comes as a bearer token or in a header of its own", async () => {
    expect(await withBearer("Bearer secret")).toMatchObject({ kind: "x" });
    expect(await withBearer("bearer secret")).toMatchObject({ kind: "x" });
    expect(await withBearer("Bearer secret2")).toBe("invalid_signature: the bearer token did not match");
    expect(await withBearer("Basic secret")).toBe(
      "invalid_header: invalid header `authorization`: expected Bearer scheme",
    );
    expect(await withKey({ "X-Api-Key": "secret" })).toMatchObject({ headers: { "x-api-key": "[redacted]" } });
    expect(await withKey({ "X-Shop": "secret" }, "X-Shop")).toMatchObject({ kind: "x" });
    expect(await withKey({ "X-Api-Key": "secret" }, "X-Shop")).toBe("missing_header: missing required header `x-shop`");
    expect(await withKey({ "X-Api-Key": "" }, undefined, "")).toBe("invalid_signature: the api key did not match");
  });

  it("[T-4.2] a form becomes an object, and a list may be several events", async () => {
    const binding = { signature_scheme: "api_key" } as const;
    const headers = { "X-Api-Key": "secret", ...FORM };
    expect(await taken(webhook, { body: "type=paid&a=1&a=2", headers }, binding)).toMatchObject({
      kind: "paid",
      provider_payload: { raw: { type: "paid", a: ["1", "2"] } },
    });
    const list = request({ body: '[{"id":"1","type":"a"},{"event":"b"}]' });
    expect(webhook.normaliseBatch?.(list, binding)).toBeNull();
    expect(webhook.normaliseBatch?.(request({ body: "{}" }), { ...binding, split_batches: true })).toBeNull();
    expect(await webhook.normaliseBatch?.(list, { ...binding, split_batches: true })).toMatchObject({
      ok: true,
      value: [
        { kind: "a", dedupe_key: "1" },
        { kind: "b", dedupe_key: expect.stringMatching(/^sha256:[0-9a-f]{64}:1$/) },
      ],
    });
  });
});

it("[T-18] schedules and hand-made events take nothing in", async () => {
  expect(await taken(cron, {})).toBe(
    "unsupported: cron is an in-process scheduler and does not accept inbound payloads",
  );
  expect(await taken(manual, {})).toMatch(/^unsupported: manual events/);
});
