import { beforeAll, describe, expect, it, vi } from "vitest";
import { migrateDatabase, refusal, send } from "./http-setup.ts";
import {
  accepted,
  defineWorkflow,
  deliver,
  endedRun,
  eventIn,
  get,
  hmac,
  ISSUE_OPENED,
  post,
  put,
  SECRET,
  shown,
} from "./trigger-setup.ts";

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

const runsOf = async (triggerId: string): Promise<number> => {
  const page = (await (await get(`/v1/runs?trigger_id=${triggerId}`)).json()) as { items: unknown[] };
  return page.items.length;
};

describe("from webhook to run", () => {
  it("[T-26.2] a signed GitHub delivery is stored before it is answered, starts a run, and the run completes", async () => {
    expect((await put("hub")).status).toBe(200);
    const receipt = await accepted("/hooks/hub", { body: ISSUE_OPENED, id: "72d3162e-cc78-11e3-81ab-4c9367dc0958" });
    expect(receipt).toEqual({
      event_id: expect.stringMatching(/^trigger_evt_[0-9a-f-]{36}$/),
      receipt: expect.stringMatching(/^receipt_[0-9a-f-]{36}$/),
      duplicate: false,
    });
    const event = await eventIn(receipt.event_id, "dispatched");
    expect(event).toMatchObject({
      trigger_id: "hub",
      kind: "issues.opened",
      verdicts: [{ stage: "match", outcome: "passed" }],
      attempts: [{ attempt: 1, outcome: "success", error: null }],
      runs: [event.run_id],
      error: null,
    });
    expect(event.event.provider_payload["raw"]).toEqual(JSON.parse(ISSUE_OPENED));
    const run = await endedRun(event.runs[0] ?? "");
    expect(run["status"]).toBe("completed");
    // Text of the sender that looks like a template is data: neither the task nor the payload is ever expanded.
    expect(JSON.stringify(run)).toContain("{{secret.TOKEN}} {{task}}");
    await vi.waitUntil(async () => (await runsOf("hub")) === 1, { timeout: 5_000 });
  });

  it("[T-7.1] a second delivery gets the same receipt, and there is one run", async () => {
    await put("twice");
    const delivery = { body: ISSUE_OPENED, id: "same" };
    const [first, second] = await Promise.all([accepted("/hooks/twice", delivery), accepted("/hooks/twice", delivery)]);
    const third = await accepted("/hooks/default/twice", delivery);
    expect(new Set([first, second, third].map((one) => one.receipt)).size).toBe(1);
    expect([first, second].filter((one) => one.duplicate)).toHaveLength(1);
    expect(third).toEqual({ ...first, duplicate: true });
    const event = await eventIn(first.event_id, "dispatched");
    await endedRun(event.runs[0] ?? "");
    await vi.waitUntil(async () => (await runsOf("twice")) > 0, { timeout: 5_000 });
    expect(await runsOf("twice")).toBe(1);
    expect(event.attempts).toHaveLength(1);
  });

  it("[T-5.5] an event that does not match is kept with its verdict and starts nothing", async () => {
    await put("picky", { match: { events: ["issues.closed"] } });
    const { event_id: id } = await accepted("/hooks/picky", { body: ISSUE_OPENED });
    expect(await eventIn(id, "skipped")).toMatchObject({ verdicts: [{ outcome: "skipped" }], runs: [], run_id: null });
  });

  it("[T-12.1] a dispatch that failed is shown with its error and waits for its next attempt", async () => {
    await put("later", { handler: { workflow: "not-yet" } });
    const { event_id: id } = await accepted("/hooks/later", { body: ISSUE_OPENED });
    const event = await vi.waitUntil(
      async () => {
        const found = await (await get(`/v1/events/${id}`)).json<{ error: unknown; next_at: string | null }>();
        return found.error === undefined || found.error === null ? false : found;
      },
      { timeout: 10_000, interval: 20 },
    );
    expect(event).toMatchObject({
      status: "retrying",
      attempts: [{ attempt: 1, outcome: "failed" }],
      error: { code: "workflow_not_found", detail: "there is no workflow not-yet" },
      runs: [],
    });
    expect(Date.parse(event.next_at ?? "")).toBeGreaterThan(0);
    // Defined meanwhile: the next attempt finds it.
    await defineWorkflow("not-yet");
    expect(await eventIn(id, "dispatched")).toMatchObject({
      attempts: [{ outcome: "failed" }, { outcome: "success" }],
    });
  }, 20_000);

  it("[T-5.1] the sender cannot make the deployment's secrets leave", async () => {
    await defineWorkflow("leak", { input: { quoted: "{{task}}", whole: "{{trigger_event.provider_payload.raw}}" } });
    await put("leak", { handler: { workflow: "leak", task: "{{trigger_event.provider_payload.issue.body}}" } });
    const { event_id: id } = await accepted("/hooks/leak", { body: ISSUE_OPENED });
    const event = await eventIn(id, "dispatched");
    const run = JSON.stringify(await endedRun(event.runs[0] ?? ""));
    expect(run).toContain("spelled 'commit' with two 't's. 🙂 {{secret.TOKEN}} {{task}}");
  });
});

describe("refusals", () => {
  it("[T-19.1] a wrong or missing signature is refused and counted without its body", async () => {
    await put("guarded");
    const wrong = await refusal(deliver("/hooks/guarded", { body: ISSUE_OPENED, secret: "other" }));
    expect(wrong).toMatchObject({
      status: 401,
      code: "invalid_signature",
      detail: "signature did not match the raw request body",
    });
    const missing = await refusal(send("/hooks/guarded", { method: "POST", body: ISSUE_OPENED }));
    expect(missing).toMatchObject({
      status: 401,
      code: "invalid_signature",
      detail: "missing required header `x-hub-signature-256`",
    });
    for (let i = 0; i < 9; i += 1) await deliver("/hooks/guarded", { body: ISSUE_OPENED, secret: "other" });
    const { rejections } = await shown("guarded");
    const counted = (reason: string): number =>
      rejections.filter((one) => one.reason === reason).reduce((sum, one) => sum + one.count, 0);
    expect(counted("invalid_signature")).toBe(10);
    expect(counted("missing_header")).toBe(1);
    expect(JSON.stringify(rejections)).not.toContain("Spelling");
  });

  it("[T-19.1] bodies that cannot be read are refused after their signature was found right", async () => {
    await put("strict");
    const invalidUtf8 = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]);
    const bodies = ["", "{", "[".repeat(5_000) + "]".repeat(5_000), invalidUtf8];
    for (const body of bodies) {
      expect(await refusal(deliver("/hooks/strict", { body }))).toMatchObject({ status: 400, code: "invalid_request" });
    }
    const noEvent = await refusal(deliver("/hooks/strict", { body: "{}", headers: { "X-GitHub-Event": "" } }));
    expect(noEvent).toMatchObject({ status: 400, detail: "missing required header `X-GitHub-Event`" });
  });

  it("[T-20.2] a body over the trigger's limit is cut off", async () => {
    await put("small", { max_body_bytes: 1_000 });
    expect(await refusal(deliver("/hooks/small", { body: "x".repeat(1_001) }))).toMatchObject({
      status: 413,
      code: "payload_too_large",
    });
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(600)),
    });
    const cut = send("/hooks/small", { method: "POST", body: endless });
    expect(await refusal(cut)).toMatchObject({ status: 413 });
  });

  it("[T-6.2] what is not there, is paused or was deleted accepts nothing", async () => {
    for (const path of ["/hooks/nobody", "/hooks/other/hub2", "/hooks/a%20b", "/hooks/%2e%2e%2fhub", "/hooks/A/hub"]) {
      expect(await refusal(deliver(path, { body: ISSUE_OPENED }))).toMatchObject({
        status: 404,
        code: "trigger_not_found",
      });
    }
    expect(await refusal(deliver("/hooks/%ff%fe", { body: ISSUE_OPENED }))).toMatchObject({ status: 400 });
    await put("moody");
    await accepted("/hooks/moody", { body: ISSUE_OPENED });
    await post("/v1/triggers/moody/pause", {});
    expect(await refusal(deliver("/hooks/moody", { body: ISSUE_OPENED }))).toMatchObject({
      status: 409,
      code: "trigger_paused",
    });
    expect(await refusal(deliver("/hooks/moody", { body: ISSUE_OPENED, secret: "x" }))).toMatchObject({ status: 401 });
    await post("/v1/triggers/moody/resume", {});
    await accepted("/hooks/moody", { body: ISSUE_OPENED });
    await send("/v1/triggers/moody", { method: "DELETE", headers: { Authorization: "Bearer root-key-of-the-tests" } });
    expect(await refusal(deliver("/hooks/moody", { body: ISSUE_OPENED }))).toMatchObject({ status: 404 });
  });

  it("[T-6.1] a changed secret counts at once, in both directions", async () => {
    await put("turning");
    await accepted("/hooks/turning", { body: ISSUE_OPENED });
    await put("turning", { secret: "new" });
    expect(await refusal(deliver("/hooks/turning", { body: ISSUE_OPENED }))).toMatchObject({ status: 401 });
    await accepted("/hooks/turning", { body: ISSUE_OPENED, secret: "new" });
    await put("turning");
    await accepted("/hooks/turning", { body: ISSUE_OPENED });
    expect((await shown("turning")).versions).toHaveLength(1);
  });
});

describe("hostile and large bodies", () => {
  it("[T-4.1] lone surrogates, numbers beyond range, deep nesting and huge headers are taken in", async () => {
    await put("odd", { provider: "webhook", signature_scheme: "github", match: {} });
    const deep = `${"[".repeat(250)}${"]".repeat(250)}`;
    const bodies = [
      String.raw`{"type":"\ud800","id":"\udc00","n":1e999,"m":-1e999,"a\u0000b":"\u0000"}`,
      `{"deep":${deep}}`,
      `{"__proto__":{"x":1},"constructor":{"prototype":1}}`,
      "[".repeat(5_000),
      new Uint8Array([0xff, 0x00, 0xfe]),
      "",
      "null",
    ];
    for (const body of bodies) {
      const headers = { "X-Long": "v".repeat(20_000), "X-Latin": "\u00e9\u00ff" };
      const { event_id: id } = await accepted("/hooks/odd", { body, headers });
      const event = await eventIn(id, "dispatched");
      expect((await endedRun(event.runs[0] ?? ""))["status"]).toBe("completed");
    }
  }, 30_000);

  it("[T-20.2] a body of the largest size is stored whole and starts a run", async () => {
    await put("large");
    const issue = { ...JSON.parse(ISSUE_OPENED).issue, body: "" };
    const frame = JSON.stringify({ action: "opened", issue });
    const body = frame.replace('"body":""', `"body":"${"é".repeat((1_048_576 - frame.length) / 2)}"`);
    const { event_id: id } = await accepted("/hooks/large", { body });
    const event = await eventIn(id, "dispatched");
    expect(event.event.provider_payload["raw"]).toEqual(JSON.parse(body));
    expect((await endedRun(event.runs[0] ?? ""))["status"]).toBe("completed");
  }, 20_000);
});

describe("other senders", () => {
  it("[T-19.3] Slack's test of the address is answered with its text (V8)", async () => {
    await put("slack", { provider: "webhook", signature_scheme: "slack", secret: "slack-secret", match: {} });
    const body = '{"type":"url_verification","challenge":"abc"}';
    const at = Math.floor(Date.now() / 1000);
    const answer = await send("/hooks/slack", {
      method: "POST",
      body,
      headers: {
        "X-Slack-Request-Timestamp": `${at}`,
        "X-Slack-Signature": `v0=${await hmac(`v0:${at}:${body}`, "slack-secret")}`,
      },
    });
    expect([answer.status, await answer.text()]).toEqual([200, "abc"]);
  });

  it("[T-5.9] a secret of the deployment verifies, and its absence is said", async () => {
    const settings = { GODWIT_SECRET_GITHUB_ORG_SECRET: SECRET };
    const byReference = { secret: undefined, secret_ref: "github/org-secret" };
    expect(await refusal(put("referring", byReference))).toMatchObject({
      status: 400,
      details: {
        issues: [
          {
            path: "secret_ref",
            message: "the secret is not configured: set GODWIT_SECRET_GITHUB_ORG_SECRET",
          },
        ],
      },
    });
    const body = JSON.stringify({
      provider: "github",
      handler: { workflow: "triage" },
      secret_ref: "github/org-secret",
    });
    const headers = { Authorization: "Bearer root-key-of-the-tests", "Content-Type": "application/json" };
    const made = await send("/v1/triggers/referring", { method: "PUT", headers, body }, settings);
    expect(made.status).toBe(200);
    expect((await deliver("/hooks/referring", { body: ISSUE_OPENED, settings })).status).toBe(202);
    expect(await refusal(deliver("/hooks/referring", { body: ISSUE_OPENED }))).toMatchObject({
      status: 503,
      code: "unavailable",
    });
  });

  it("[T-26.2] tenants do not meet", async () => {
    const tenant = { "Godwit-Tenant": "acme" };
    await put("hub", { secret: "acme-secret" }, tenant);
    expect((await deliver("/hooks/acme/hub", { body: ISSUE_OPENED })).status).toBe(401);
    const { event_id: id } = await accepted("/hooks/acme/hub", { body: ISSUE_OPENED, secret: "acme-secret" });
    await vi.waitUntil(async () => (await get(`/v1/events/${id}`, tenant)).status === 200, { timeout: 5_000 });
    expect((await get(`/v1/events/${id}`)).status).toBe(404);
  });
});
