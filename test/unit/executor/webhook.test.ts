import { describe, expect, it } from "vitest";
import { standardSignature } from "../../../src/connectors/signature-standard.ts";
import { type Receiver, postWebhook } from "../../../src/executor/webhook.ts";

const SECRET = `whsec_${btoa("a secret of the receiver")}`;
const NOW = Date.parse("2026-04-19T12:00:00.000Z");
const MESSAGE = { id: "worker_1.3", body: JSON.stringify({ event: "WorkerCompleted" }) };

interface Seen {
  readonly url: string;
  readonly init: RequestInit;
}

const posted = async (receiver: Partial<Receiver>, answer: () => Promise<Response>) => {
  const seen: Seen[] = [];
  const fetcher = (url: string, init: RequestInit): Promise<Response> => {
    seen.push({ url, init });
    return answer();
  };
  const sent = await postWebhook({ url: "https://receiver.test/in", headers: {}, secret: null, ...receiver }, MESSAGE, {
    env: { GODWIT_SECRET_TOKEN: "t0ken" },
    fetcher: fetcher as typeof fetch,
    now: () => NOW,
  });
  return { sent, seen };
};

const answering = (status: number) => (): Promise<Response> => Promise.resolve(new Response(null, { status }));

const failing = (error: Error) => async (): Promise<Response> => {
  throw error;
};

describe("an outgoing webhook", () => {
  it("[L-13] is signed so that a receiver of Standard Webhooks can verify it", async () => {
    const headers = { authorization: "Bearer {{secret.TOKEN}}" };
    const { sent, seen } = await posted({ secret: SECRET, headers }, answering(204));
    expect(sent).toEqual({ ok: true, value: null });
    const given = seen[0]?.init.headers as Record<string, string>;
    expect(given).toMatchObject({ authorization: "Bearer t0ken", "webhook-id": "worker_1.3" });
    const body = new TextEncoder().encode(String(seen[0]?.init.body));
    const request = { headers: given, body, secrets: [SECRET], now: NOW };
    expect((await standardSignature.verify(request as never)).ok).toBe(true);
    const changed = { ...request, body: new TextEncoder().encode("{}") };
    expect((await standardSignature.verify(changed as never)).ok).toBe(false);
  });

  it.each([301, 302, 404, 500])("[L-13] fails on %i, and follows no redirect", async (status) => {
    const { sent, seen } = await posted({}, answering(status));
    expect(sent).toEqual({ ok: false, error: `the receiver answered ${status}` });
    expect(seen).toHaveLength(1);
    expect(seen[0]?.init.redirect).toBe("manual");
  });

  it("[L-13] fails without an answer, and says nothing of what was sent", async () => {
    expect((await posted({}, failing(new DOMException("t0ken", "TimeoutError")))).sent).toEqual({
      ok: false,
      error: "the receiver did not answer within 10 seconds",
    });
    expect((await posted({}, failing(new TypeError("t0ken")))).sent).toEqual({
      ok: false,
      error: "the receiver could not be reached",
    });
  });

  it("[L-13] goes to no private host, and not without its secrets", async () => {
    for (const receiver of [
      { url: "http://127.0.0.1:9/in" },
      { headers: { "x-key": "{{secret.NONE}}" } },
      { secret: "not base64!" },
    ]) {
      const { sent, seen } = await posted(receiver, answering(200));
      expect(sent.ok).toBe(false);
      expect(seen).toHaveLength(0);
    }
  });
});
