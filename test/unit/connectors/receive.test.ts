import { deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Connector, ConnectorBinding } from "../../../src/connectors/connector.ts";
import { decodedContent } from "../../../src/connectors/content.ts";
import { encodeEvent, rawBytesOf } from "../../../src/connectors/event-bytes.ts";
import { harnAnswer } from "../../../src/connectors/harn-answer.ts";
import { IngestBuckets } from "../../../src/connectors/ingest-bucket.ts";
import { normalizePayload } from "../../../src/connectors/payload.ts";
import { type Accepted, type Arrival, receive, type Reception } from "../../../src/connectors/receive.ts";
import { CONNECTORS } from "../../../src/connectors/registry.ts";
import type { SignatureRejection } from "../../../src/connectors/webhook-error.ts";
import { hookOutcome, originIsAllowed } from "../../../src/http/hook-answer.ts";
import type { Receipt } from "../../../src/schema/trigger.ts";
import { type Delivery, githubHeaders, NO_KEYS, request } from "./delivery.ts";

const receiptOf = (key: string, duplicate = false): Receipt => ({ event_id: key, receipt: `r-${key}`, duplicate });

interface Seen {
  readonly reception: Reception<Receipt, never>;
  readonly arrivals: readonly Arrival[];
  readonly audit: readonly SignatureRejection[];
  readonly tokens: readonly string[];
}

type Accept = (arrival: Arrival) => Accepted<Receipt, never>;

const acceptAll: Accept = ({ event }) => ({ type: "accepted", receipt: receiptOf(event.dedupe_key), duplicate: false });

const sent = async (
  connector: Connector,
  delivery: Delivery,
  { binding = {}, accept = acceptAll }: { readonly binding?: ConnectorBinding; readonly accept?: Accept } = {},
): Promise<Seen> => {
  const seen = { arrivals: [] as Arrival[], audit: [] as SignatureRejection[], tokens: [] as string[] };
  const reception = await receive<Receipt, never>(
    { request: request(delivery), connector, binding, max_bytes: 1_000 },
    {
      ...NO_KEYS,
      accept: (arrival) => {
        seen.arrivals.push(arrival);
        return Promise.resolve(accept(arrival));
      },
      keepHandshake: async ({ verification_token: token }) => void seen.tokens.push(token),
      audit: (rejection) => void seen.audit.push(rejection),
    },
  );
  return { reception, ...seen };
};

const { github, notion, webhook } = CONNECTORS;
const issue = '{"action":"opened","issue":{}}';

const acceptOnce: Accept = ({ event: { dedupe_key: key } }) => ({
  type: "accepted",
  receipt: receiptOf(key, key === "a"),
  duplicate: key === "a",
});

describe("receiving", () => {
  it("[T-20.5] a genuine delivery is accepted with its bytes as they were received", async () => {
    const packed = gzipSync(issue);
    const headers = githubHeaders("secret", packed, { "Content-Encoding": "gzip" });
    const { reception, arrivals } = await sent(github, { body: packed, headers });
    expect(reception).toEqual({ type: "received", receipts: [receiptOf("delivery-123")], duplicates: 0 });
    expect(arrivals).toMatchObject([{ event: { kind: "issues.opened" } }]);
    expect(Buffer.from(arrivals[0]?.raw ?? []).equals(packed)).toBe(true);
  });

  it("[T-19.1] a refused signature is audited and nothing is accepted", async () => {
    const { reception, arrivals, audit } = await sent(github, { body: "x", headers: githubHeaders("other", "x") });
    expect(reception).toMatchObject({ type: "invalid", stage: "signature", error: { kind: "invalid_signature" } });
    expect(arrivals).toEqual([]);
    expect(audit).toMatchObject([
      { provider: "github", style: "github", reason: "signature did not match the raw request body", signed_at: null },
    ]);
  });

  it("[T-5.9] without a secret nothing is looked at, unless the trigger needs none", async () => {
    const { reception } = await sent(github, { body: issue, secrets: [] }, { binding: { id: "hub" } });
    expect(reception).toMatchObject({ error: { message: "trigger 'hub' requires a signing secret" } });
    const {
      reception: asked,
      tokens,
      arrivals,
    } = await sent(notion, { body: '{"verification_token":"t"}', secrets: [] });
    expect(asked).toEqual({ type: "handshake", token: "t" });
    expect([tokens, arrivals]).toEqual([["t"], []]);
  });

  it("[T-20.5] the items of a list are accepted one by one, and one that must wait makes all wait", async () => {
    const binding: ConnectorBinding = { signature_scheme: "api_key", split_batches: true };
    const delivery = { headers: { "x-api-key": "secret" }, body: '[{"id":"a"},{"id":"b"}]' };
    const { reception } = await sent(webhook, delivery, { binding, accept: acceptOnce });
    expect(reception).toMatchObject({ type: "received", duplicates: 1 });
    const stale = await sent(webhook, delivery, { binding, accept: () => ({ type: "stale" }) });
    expect([stale.reception, stale.arrivals.length]).toEqual([{ type: "stale" }, 1]);
  });
});

const received = (count: number, duplicates: number): Reception<Receipt, never> => ({
  type: "received",
  receipts: Array.from({ length: count }, (_, at) => receiptOf(`e${at}`)),
  duplicates,
});

describe("answers", () => {
  const asked = { connector: CONNECTORS.slack, trigger_id: "t" };
  const harn = (reception: Reception<Receipt, never>): unknown => {
    const answer = harnAnswer(reception, asked);
    const isJson = answer?.headers["content-type"] === "application/json";
    return answer === null ? null : [answer.status, isJson ? JSON.parse(answer.body ?? "") : answer.body];
  };

  it("[T-20.5] the original says how many events a delivery was", () => {
    expect(harn(received(1, 0))).toEqual([200, { status: "accepted", event_id: "e0", trigger_id: "t" }]);
    expect(harn(received(2, 2))).toEqual([200, { status: "duplicate_dropped", trigger_id: "t" }]);
    const many = { status: "accepted", events_accepted: 1, duplicates_dropped: 1, trigger_id: "t" };
    expect(harn(received(2, 1))).toEqual([200, many]);
    expect(harn(received(0, 0))).toEqual([200, { ...many, events_accepted: 0, duplicates_dropped: 0 }]);
    expect(harn({ type: "handshake", token: "x" })).toEqual([
      200,
      { status: "handshake_captured", verification_token: "x" },
    ]);
    expect(harn({ type: "stale" })).toBeNull();
  });

  it("[T-19.1] every refusal has its status, with the text of its error", async () => {
    const statuses = {
      invalid_signature: [400, 401],
      json: [400, 400],
      unsupported: [422, 400],
      too_large: [413, 413],
      activation: [500, 503],
      unavailable: [503, 503],
      duplicate_delivery: [200, 401],
    } as const;
    for (const [kind, [original, ours]] of Object.entries(statuses)) {
      const error = { kind: kind as keyof typeof statuses, message: "m" };
      const reception = { type: "invalid", error, stage: "payload" } as const;
      expect(harn(reception)).toEqual([original, "m"]);
      const outcome = hookOutcome(reception, { ...asked, harn: false });
      const status = { invalid_signature: 401, payload_too_large: 413, unavailable: 503 };
      if (outcome instanceof Response || !("code" in outcome)) throw new Error("it is a problem");
      expect([outcome.detail, status[outcome.code as keyof typeof status] ?? 400]).toEqual(["m", ours]);
      expect(outcome.headers).toEqual(ours === 503 ? {} : { "x-slack-no-retry": "1" });
    }
  });

  it("[T-25] a handshake's token is not sent back", async () => {
    const answer = hookOutcome({ type: "handshake", token: "secret_1" }, { ...asked, harn: false });
    expect(answer instanceof Response ? await answer.json() : null).toEqual({ status: "handshake_captured" });
  });

  it("[T-20.2] an origin has to be one of those that are named", () => {
    expect(originIsAllowed(undefined, ["https://a"])).toBe(true);
    expect(originIsAllowed("https://b", undefined)).toBe(true);
    expect(originIsAllowed("https://b", [])).toBe(true);
    expect(originIsAllowed("https://a", ["https://a"])).toBe(true);
    expect(originIsAllowed("https://b", ["https://a"])).toBe(false);
  });
});

describe("buckets", () => {
  it("[T-20.4] start full, refill by the second, and say when there will be a token", () => {
    const buckets = new IngestBuckets();
    const take = (now: number, limit = 2): number | null => buckets.take("t", limit, now);
    expect([take(0), take(0), take(0), take(500)]).toEqual([null, null, 1, 1]);
    expect([take(1_000), take(1_000)]).toEqual([null, 1]);
    expect(buckets.take("other", 2, 1_000)).toBeNull();
    expect(take(100_000)).toBeNull();
    const fast = new IngestBuckets();
    for (let i = 0; i < 600; i += 1) expect(fast.take("t", 600, 0)).toBeNull();
    expect(fast.take("t", 600, 0)).toBe(1);
    expect(fast.take("t", 600, 100)).toBeNull();
  });
});

const contentText = async (body: Uint8Array, encoding: string | undefined, limit = 1_000): Promise<unknown> => {
  const content = await decodedContent(body, encoding, limit);
  if (content === null) return null;
  return content.ok ? Buffer.from(content.value).toString() : content.error.kind;
};

describe("bodies", () => {
  it("[T-19.1] are unpacked to their limit", async () => {
    expect(await contentText(gzipSync("hello"), "gzip")).toBe("hello");
    expect(await contentText(deflateSync("hello"), "Deflate")).toBe("hello");
    expect(await contentText(gzipSync(gzipSync("hello")), "gzip, x-gzip")).toBe("hello");
    expect(await contentText(gzipSync("hello"), "gzip", 4)).toBe("too_large");
    expect(await contentText(gzipSync(Buffer.alloc(1_000_000)), "gzip")).toBe("too_large");
    expect(await contentText(gzipSync("hello").subarray(0, 12), "gzip")).toBe("json");
    expect(await contentText(Buffer.from("hello"), "gzip")).toBe("json");
    expect(await contentText(Buffer.from(""), "gzip")).toBe("json");
    expect(await contentText(Buffer.from("hello"), "br")).toBe("unsupported");
    expect(await contentText(Buffer.from("hello"), "gzip,gzip,gzip")).toBe("unsupported");
    for (const none of [undefined, "", "identity"]) expect(await contentText(Buffer.from("hello"), none)).toBeNull();
  });

  it("[T-4.1] bytes of any kind come back from an event as they were", () => {
    const bytes = Uint8Array.of(0xff, 0, 0xfe, 0x80);
    const event = encodeEvent({ id: "e", raw_body: "old", dedupe_claimed: true }, bytes);
    expect(event).toEqual({ id: "e", occurred_at: null, tenant_id: null, raw_body: "/wD+gA==" });
    expect(rawBytesOf(event)).toEqual(bytes);
    expect(rawBytesOf(encodeEvent({ id: "e" }, null))).toBeNull();
  });
});

const payloadOf = (provider: string, raw: object, kind = "k"): unknown => {
  const result = normalizePayload(provider, { kind, headers: {}, raw: raw as never, now: 0 });
  return result.ok ? result.value : result.error;
};

describe("payloads", () => {
  it("[T-4.2] old values of an issue are typed, and what has no name keeps its own", () => {
    const updatedFrom = { estimate: 3, stateId: "s", sortOrder: "1.5", labelIds: [{ id: "l" }], dueDate: null, foo: 1 };
    expect(payloadOf("linear", { type: "issue", updatedFrom })).toMatchObject({
      changes: [
        { field_name: "estimate", previous: 3 },
        { field_name: "state_id", previous: "s" },
        { field_name: "sort_order", previous: 1.5 },
        { field_name: "label_ids", previous: ["l"] },
        { field_name: "due_date", previous: null },
        { field_name: "other", field: "foo", previous: 1 },
      ],
    });
  });

  it("[T-4.2] Slack's extras follow the kind", () => {
    const thread = { channel_id: "C", user_id: "U", thread_ts: "1.1", context: { a: 1 } };
    const started = { event: { type: "assistant_thread_started", assistant_thread: thread } };
    expect(payloadOf("slack", started, "assistant_thread_started")).toMatchObject({
      channel_id: "C",
      user_id: "U",
      assistant_thread: thread,
      thread_ts: "1.1",
      context: { a: 1 },
    });
    expect(payloadOf("slack", { event: { user: { id: "U" }, channel: { id: "C" } } })).toMatchObject({
      channel_id: "C",
      user_id: "U",
    });
  });

  it("[T-4.2] ticks, streams and other senders have forms of their own; nobody else has", () => {
    expect(payloadOf("cron", { cron_id: "c" })).toMatchObject({ cron_id: "c", tick_at: "1970-01-01T00:00:00.000Z" });
    for (const provider of ["kafka", "nats", "pulsar", "postgres-cdc", "email", "websocket"])
      expect(payloadOf(provider, { subject: "s", sequence: 7, ts: 1 })).toMatchObject({
        provider,
        stream: "s",
        offset: "7",
        timestamp: "1",
        headers: {},
      });
    expect(payloadOf("webhook", { a: 1 })).toEqual({
      provider: "webhook",
      source: null,
      content_type: null,
      raw: { a: 1 },
    });
    expect(payloadOf("gitlab", {})).toEqual({ kind: "unsupported", message: "provider `gitlab` is not registered" });
  });
});
