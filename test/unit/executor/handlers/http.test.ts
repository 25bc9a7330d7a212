import { describe, expect, it } from "vitest";
import { standardSignature } from "../../../../src/connectors/signature-standard.ts";
import { classifyError } from "../../../../src/engine/trigger/error-class.ts";
import { performHandler } from "../../../../src/executor/handlers/perform.ts";
import type { ModelEnv } from "../../../../src/ports/model-env.ts";
import { callOf, event, json, network, ports, type Sent } from "./call.ts";

const never = new AbortController().signal;
const http = {
  url: "https://in.example/{{secret.TOKEN}}",
  method: "POST",
  headers: { "X-Key": "{{secret.TOKEN}}" },
} as const;
const env = { GODWIT_SECRET_TOKEN: "s3cr3t-token" };

const perform = async (respond: (sent: Sent) => Response | Error, url: string = http.url, given: ModelEnv = env) => {
  const { sent, fetcher } = network(respond);
  const call = callOf({ http: { ...http, url } }, { attempt: 2, replay: "trigger_evt_0" });
  return { outcome: await performHandler(call, ports({ fetcher, env: given }), never), sent };
};

const signed = (signing_secret: string) =>
  callOf({ http: { url: "https://in.example", method: "POST", signing_secret } });

describe("an HTTP handler", () => {
  it("[T-11] gets the event as JSON, untouched, with headers that say what it is", async () => {
    const { outcome, sent } = await perform(() => json({ ok: true }));
    expect(outcome).toEqual({ type: "succeeded", result: { ok: true } });
    expect(sent).toHaveLength(1);
    const [{ url, method, headers, body } = { url: "", method: "", headers: new Headers(), body: null }] = sent;
    expect({ url, method, body }).toEqual({ url: "https://in.example/s3cr3t-token", method: "POST", body: event() });
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-type": "application/json",
      "idempotency-key": "dispatch_1",
      "x-godwit-event-id": "trigger_evt_1",
      "x-godwit-trigger-id": "hub",
      "x-godwit-attempt": "2",
      "x-godwit-replay-of-event-id": "trigger_evt_0",
      "x-key": "s3cr3t-token",
    });
    expect(headers.get("traceparent")).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  it("[T-19.2] signs each call so that a receiver of Standard Webhooks can verify it", async () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const { sent, fetcher } = network(() => json(null));
    const around = ports({ fetcher, env: { GODWIT_SECRET_SIGN: secret, GODWIT_SECRET_ODD: "not base64!" } });
    await performHandler(signed("{{secret.SIGN}}"), around, never);
    const body = new TextEncoder().encode(JSON.stringify(sent[0]?.body));
    const headers = Object.fromEntries(sent[0]?.headers ?? []);
    const received = { method: "POST", path: "/", headers, body, now: 1_000_000, secrets: [secret] };
    expect(headers).toMatchObject({ "webhook-id": "dispatch_1", "webhook-timestamp": "1000" });
    expect((await standardSignature.verify(received)).ok).toBe(true);
    const other = { ...received, secrets: ["AAAA"] };
    expect((await standardSignature.verify(other)).ok).toBe(false);
    const refused = [signed("{{secret.ODD}}"), signed("{{secret.NONE}}")].map((one) =>
      performHandler(one, around, never),
    );
    expect(await Promise.all(refused)).toMatchObject([
      { error: expect.stringContaining("not base64"), retryable: false },
      { error: expect.stringContaining("GODWIT_SECRET_NONE"), retryable: false },
    ]);
    expect(sent).toHaveLength(1);
  });

  it.each([
    ["", null],
    ["plain", "plain"],
    ["[1]", [1]],
    ["it is s3cr3t-token", "it is [redacted]"],
  ])("[T-11] takes the body %j for its result", async (text, result) => {
    const { outcome } = await perform(() => new Response(text));
    expect(outcome).toEqual({ type: "succeeded", result });
  });

  it.each([
    [408, true],
    [425, true],
    [429, true],
    [500, true],
    [503, true],
    [400, false],
    [401, false],
    [404, false],
    [410, false],
  ])("[T-11] an answer of %i is tried again: %s", async (status, retryable) => {
    const { outcome } = await perform(() => new Response("why s3cr3t-token", { status }));
    const who = `handler https://in.example/[redacted]${status < 500 ? "" : ": the provider"}`;
    const error = `${who} answered ${status}: why [redacted]`;
    expect(outcome).toEqual({ type: "failed", class: "local", error, retryable });
  });

  it.each([
    [503, "provider_5xx"],
    [401, "auth_failed"],
    [422, "unknown"],
  ])("[T-12.5] a dead letter of an answer of %i has the class %s", async (status, errorClass) => {
    const { outcome } = await perform(() => new Response("no", { status }));
    expect(outcome.type === "failed" && classifyError(outcome.error)).toBe(errorClass);
  });

  it("[T-11] a redirect is not followed", async () => {
    const { outcome, sent } = await perform(() => new Response(null, { status: 307, headers: { location: "/there" } }));
    expect(outcome).toMatchObject({ type: "failed", retryable: false });
    expect(sent).toHaveLength(1);
  });

  it("[T-11] what nobody answers is tried again", async () => {
    const { outcome } = await perform(() => new Error("refused"));
    const error = "no answer from in.example: refused";
    expect(outcome).toEqual({ type: "failed", class: "local", error, retryable: true });
  });

  it("[T-26] a private host is denied, and a secret that is not there names itself", async () => {
    const denied = await perform(() => json(1), "http://127.0.0.1/x");
    expect(denied).toMatchObject({ sent: [], outcome: { type: "failed", class: "denied", retryable: false } });
    const missing = await perform(() => json(1), http.url, {});
    expect(missing.sent).toEqual([]);
    expect(missing.outcome).toMatchObject({ error: expect.stringContaining("GODWIT_SECRET_TOKEN"), retryable: false });
  });
});
