import { describe, expect, it } from "vitest";
import type { WebhookError } from "../../../src/connectors/webhook-error.ts";
import { PROVEN } from "../../../src/connectors/connector.ts";
import { github, githubPayload } from "../../../src/connectors/github.ts";
import { connectorFor } from "../../../src/connectors/registry.ts";
import type { NormalisedEvent } from "../../../src/schema/trigger.ts";
import { githubHeaders, NO_KEYS, request, type Delivery } from "./delivery.ts";

const secret = "gh-secret";
const issue = '{"action":"opened","installation":{"id":42},"issue":{"number":99}}';

const outcome = async (delivery: Delivery): Promise<NormalisedEvent | WebhookError> => {
  const result = await github.normalise(request(delivery), {}, PROVEN);
  return result.ok ? result.value : result.error;
};

const normalise = (
  body: string,
  more: Readonly<Record<string, string>> = {},
): Promise<NormalisedEvent | WebhookError> => outcome({ secret, body, headers: githubHeaders(secret, body, more) });

describe("normalisation", () => {
  it("[T-19.5] a signed delivery takes its kind and its dedupe key from the headers and the action", async () => {
    const headers = {
      "X-Hub-Signature-256": "sha256=8e33ce686139436349310e29e96d1e36b46dc9148d24a5568117976f4697c048",
      "Content-Type": "application/json",
      "X-GitHub-Event": "issues",
      "X-GitHub-Delivery": "delivery-123",
    };
    const delivery = request({ secret, body: issue, headers });
    expect(await github.verify(delivery, {}, NO_KEYS)).toEqual({ ok: true, value: PROVEN });
    expect(await outcome({ secret, body: issue, headers })).toEqual({
      provider: "github",
      kind: "issues.opened",
      occurred_at: null,
      dedupe_key: "delivery-123",
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
      signature_status: { state: "verified" },
      provider_payload: {
        provider: "github",
        event: "issues",
        action: "opened",
        installation_id: 42,
        delivery_id: "delivery-123",
        issue: { number: 99 },
        raw: { action: "opened", installation: { id: 42 }, issue: { number: 99 } },
      },
    });
  });

  it("[T-4.3] without a delivery id the digest of the body is the dedupe key", async () => {
    const { "X-GitHub-Delivery": _id, ...headers } = githubHeaders(secret, issue);
    expect(await outcome({ secret, body: issue, headers })).toMatchObject({
      dedupe_key: "sha256:06eb64c33e3c24e04e37fbb22778417f5370ce0e027217ee1adea87c9b6c5ea8",
      provider_payload: { delivery_id: null },
    });
  });

  it("[T-19.5] a delivery without an event is refused", async () => {
    const { "X-GitHub-Event": _event, ...headers } = githubHeaders(secret, issue);
    expect(await outcome({ secret, body: issue, headers })).toEqual({
      kind: "missing_header",
      header: "X-GitHub-Event",
      message: "missing required header `X-GitHub-Event`",
    });
  });

  it("[T-19.5] a ping is an ordinary event; an action that is no text adds nothing to the kind", async () => {
    expect(await normalise('{"zen":"x"}', { "X-GitHub-Event": "ping" })).toMatchObject({ kind: "ping" });
    expect(await normalise('{"action":7}')).toMatchObject({ kind: "issues", provider_payload: { action: null } });
  });

  it("[T-19.5] the body's timestamp is the time of the event when it is RFC 3339", async () => {
    const at = "2026-04-19T10:00:00+02:00";
    expect(await normalise(`{"timestamp":"${at}"}`)).toMatchObject({ occurred_at: at });
    for (const body of [
      '{"timestamp":"yesterday"}',
      '{"timestamp":1}',
      '{"timestamp":"2026-99-19T10:00:00Z"}',
      "[1]",
    ]) {
      expect(await normalise(body)).toMatchObject({ occurred_at: null });
    }
  });

  it("[T-25] a body that is not JSON is refused as such", async () => {
    for (const body of ["{", "", "\u0000", `${"[".repeat(300)}${"]".repeat(300)}`]) {
      expect(await normalise(body)).toMatchObject({ kind: "json" });
    }
    const bytes = Uint8Array.of(0x22, 0xff, 0x22);
    expect(await outcome({ secret, body: bytes, headers: githubHeaders(secret, bytes) })).toMatchObject({
      kind: "json",
    });
  });

  it("[T-19.1] a form is verified as sent, and its payload field is the body", async () => {
    const body = new URLSearchParams({ payload: issue }).toString();
    const type = { "Content-Type": "application/x-www-form-urlencoded" };
    const headers = githubHeaders(secret, body, type);
    expect(await github.verify(request({ secret, body, headers }), {}, NO_KEYS)).toMatchObject({ ok: true });
    expect(await normalise(body, type)).toMatchObject({
      kind: "issues.opened",
      provider_payload: { issue: { number: 99 } },
    });
    expect(await normalise("other=1", type)).toMatchObject({ kind: "json" });
    expect(await normalise("payload=%7B", type)).toMatchObject({ kind: "json" });
  });

  it("[T-4.3] an id that is too long to be one does not become a key", async () => {
    const event = await normalise(issue, { "X-GitHub-Delivery": "x".repeat(300) });
    expect(event).toMatchObject({ dedupe_key: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) });
  });
});

describe("payload", () => {
  it.each<[string, readonly string[]]>([
    ["issues", ["issue"]],
    ["pull_request", ["pull_request"]],
    ["issue_comment", ["issue", "comment"]],
    ["pull_request_review", ["pull_request", "review"]],
    ["push", ["commits", "distinct_size"]],
    ["workflow_run", ["workflow_run"]],
    ["deployment_status", ["deployment_status", "deployment"]],
    ["check_run", ["check_run"]],
    ["star", []],
  ])("[T-4.2] %s has its own keys, also when the body lacks them", (event, keys) => {
    const common = ["action", "delivery_id", "event", "installation_id", "provider", "raw"];
    expect(Object.keys(githubPayload(event, null, {})).toSorted()).toEqual([...common, ...keys].toSorted());
    const raw = Object.fromEntries(keys.map((key) => [key, { is: key }]));
    expect(githubPayload(event, "d", raw)).toMatchObject({ ...raw, delivery_id: "d", raw });
  });

  it("[T-4.2] missing commits are none, other missing objects are null", () => {
    expect(githubPayload("push", null, {})).toMatchObject({ commits: [], distinct_size: null });
    expect(githubPayload("issues", null, "text")).toMatchObject({ issue: null, action: null, installation_id: null });
  });
});

it("[T-4.5] an unknown provider is refused by name", () => {
  expect(connectorFor("github")).toMatchObject({ ok: true, value: { provider: "github" } });
  expect(connectorFor("webhook")).toMatchObject({ ok: true, value: { provider: "webhook" } });
  for (const name of ["custom-provider", "constructor"]) {
    expect(connectorFor(name)).toEqual({
      ok: false,
      error: { kind: "unsupported", message: `provider \`${name}\` is not registered` },
    });
  }
});
