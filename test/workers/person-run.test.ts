import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { clientFor, get, migrateDatabase, post, refusal, send } from "./http-setup.ts";
import { objectOf, runWith, startRun, waitingRun } from "./run-setup.ts";

const client = clientFor();

beforeAll(migrateDatabase);

const echo = (extra: JsonObject = {}): JsonObject => ({ kind: "stage", mode: "function", function: "echo", ...extra });

const graphOf = (person: JsonObject): JsonObject => ({
  entry: "p",
  nodes: {
    p: { kind: "stage", mode: "person", person },
    yes: echo(),
    no: echo(),
    late: echo(),
  },
  edges: [
    ...["approved", "success", "accepted"].map((branch) => ({ from: "p", to: "yes", branch })),
    { from: "p", to: "no", branch: "denied" },
    { from: "p", to: "late", branch: "timeout" },
  ],
});

const approval: JsonObject = { kind: "approval", action: "deploy <production>", reviewers: ["ann", "bob"] };

const asking = async (person: JsonObject): Promise<{ readonly runId: string; readonly id: string }> => {
  const runId = await startRun(graphOf(person));
  await waitingRun(runId, "person");
  return { runId, id: `hitl_${String(person["kind"])}_${runId}_1` };
};

const nodesOf = (run: { readonly stages: readonly { readonly node_id: string }[] }): readonly string[] =>
  run.stages.map((stage) => stage.node_id);

const rowsOf = (runId: string): Promise<number> =>
  runInDurableObject(objectOf(runId), (_, state) =>
    Number(state.storage.sql.exec("SELECT count(*) AS rows FROM journal").one()["rows"]),
  );

describe("a run that waits for an approval", () => {
  it("[L-24.4] is answered by the API at once, without the list, and survives the loss of its object", async () => {
    const { runId, id } = await asking({ ...approval, quorum: 2 });
    const rows = await rowsOf(runId);
    expect(await client.approvals.get(id)).toMatchObject({
      status: "open",
      prompt: "deploy <production>",
      run_id: runId,
    });
    await client.approvals.respond(id, { approved: true, reviewer: "ann" });
    expect(await rowsOf(runId)).toBe(rows + 1);
    await evictDurableObject(objectOf(runId));
    expect(await client.approvals.get(id)).toMatchObject({
      status: "open",
      approved_by: ["ann"],
      approvers_required: 2,
    });
    const approved = await client.approvals.respond(id, { approved: true, reviewer: "bob", reason: "fine" });
    expect(approved).toMatchObject({ status: "approved", outcome: { value: { reviewers: ["ann", "bob"] } } });
    expect(nodesOf(await runWith(runId, "completed"))).toEqual(["p", "yes"]);
    const late = refusal(post(`/v1/approvals/${id}/respond`, { approved: false, reviewer: "ann" }));
    expect(await late).toMatchObject({ status: 409, code: "approval_decided" });
  });

  it("[L-31] costs nothing while it waits: no row, and no alarm before its deadline", async () => {
    const { runId, id } = await asking(approval);
    await runDurableObjectAlarm(objectOf(runId));
    const before = await rowsOf(runId);
    const at = await runInDurableObject(objectOf(runId), (_, state) => state.storage.getAlarm());
    const { deadline } = await client.approvals.get(id);
    expect(at).toBe(Date.parse(deadline ?? ""));
    await evictDurableObject(objectOf(runId));
    await client.approvals.get(id);
    expect(await rowsOf(runId)).toBe(before);
  });

  it("[L-24.4] goes another way at its deadline, by the alarm alone", async () => {
    const runId = await startRun(graphOf({ ...approval, timeout_ms: 600 }));
    const run = await runWith(runId, "completed");
    expect(nodesOf(run)).toEqual(["p", "late"]);
    expect(run.stages[0]).toMatchObject({ outcome: "timeout", visible_text: "approval timed out" });
  });

  it("[L-24.1] tells whoever watches of each answer, under the names of the audit", async () => {
    const { runId, id } = await asking(approval);
    await client.approvals.respond(id, { approved: false, reviewer: "bob", reason: "unsafe" });
    await runWith(runId, "completed");
    const { log = [] } = await client.approvals.get(id);
    expect(log.map(({ kind }) => kind)).toEqual([
      "hitl.approval_requested",
      "hitl.response_received",
      "hitl.approval_denied",
    ]);
    expect(log[1]?.payload).toMatchObject({
      reviewer: "bob",
      approved: false,
      reason: "unsafe",
      metadata: { via: "api" },
    });
    const { items } = (await (await get(`/v1/runs/${runId}/events`)).json()) as { items: { type: string }[] };
    expect(items.map(({ type }) => type).filter((type) => type.startsWith("hitl."))).toEqual([
      "hitl.approval_requested",
      "hitl.response_received",
      "hitl.approval_denied",
    ]);
  });

  it("[I5] gives a repeated request its first answer", async () => {
    const { id } = await asking(approval);
    const call = { idempotency_key: "once" };
    const first = await client.approvals.respond(id, { approved: true, reviewer: "ann" }, call);
    expect(await client.approvals.respond(id, { approved: true, reviewer: "ann" }, call)).toEqual(first);
    await expect(client.approvals.respond(id, { approved: false, reviewer: "ann" }, call)).rejects.toMatchObject({
      code: "idempotency_key_reused",
    });
  });

  it("[L-30] is answered only by those who are asked, by name", async () => {
    const { id } = await asking(approval);
    const path = `/v1/approvals/${id}/respond`;
    expect(await refusal(post(path, { approved: true }))).toMatchObject({ status: 400, code: "invalid_request" });
    expect(await refusal(post(path, { approved: true, reviewer: "eve" }))).toMatchObject({ status: 400 });
    expect(await refusal(post(path, { reviewer: "ann" }))).toMatchObject({ status: 400 });
    const unknown = refusal(post("/v1/approvals/hitl_approval_nowhere_1/respond", { approved: true }));
    expect(await unknown).toMatchObject({ status: 404, code: "approval_not_found" });
  });
});

describe("questions, dual control and escalations", () => {
  it("[L-24.3] an answer has to fit the question's schema, and gets its defaults", async () => {
    const schema = {
      type: "object",
      required: ["n"],
      properties: { n: { type: "integer" }, unit: { type: "string", default: "kg" } },
    };
    const { runId, id } = await asking({ kind: "question", prompt: "How much?", schema });
    const wrong = refusal(post(`/v1/approvals/${id}/respond`, { answer: { n: "many" } }));
    expect(await wrong).toMatchObject({ status: 400, code: "invalid_request" });
    await client.approvals.respond(id, { answer: { n: 3 } });
    const run = await runWith(runId, "completed");
    expect(run.artifacts[0]?.data).toMatchObject({ data: { n: 3, unit: "kg" } });
  });

  it("[L-24.6] the released action is executed by a driver, with what was shown", async () => {
    const { runId, id } = await asking({
      kind: "dual_control",
      n: 2,
      m: 2,
      approvers: ["ann", "bob"],
      action: "launch",
      handler: "echo",
      input: { text: "launched {{task}}" },
    });
    expect((await client.approvals.get(id)).metadata).toMatchObject({
      release: { function: "echo", input: { text: "launched do it" } },
    });
    await client.approvals.respond(id, { approved: true, reviewer: "ann" });
    await client.approvals.respond(id, { approved: true, reviewer: "bob" });
    const run = await runWith(runId, "completed");
    expect(run.stages[0]).toMatchObject({ node_id: "p", outcome: "approved", branch: "approved" });
    expect(run.artifacts[0]?.data).toMatchObject({ approval: { reviewers: ["ann", "bob"] } });
  });

  it("[L-24.7] an escalation waits without an alarm until somebody accepts it", async () => {
    const { runId, id } = await asking({ kind: "escalation", role: "lead", reason: "stuck" });
    await client.approvals.respond(id, { accepted: false, reviewer: "busy" });
    await runDurableObjectAlarm(objectOf(runId));
    await expect
      .poll(() => runInDurableObject(objectOf(runId), (_, state) => state.storage.getAlarm()), { timeout: 5_000 })
      .toBeNull();
    await client.approvals.respond(id, { accepted: true, reviewer: "lea" });
    expect(nodesOf(await runWith(runId, "completed"))).toEqual(["p", "yes"]);
  });
});

describe("the list of what waits for people", () => {
  it("[L-24.9] shows open requests newest first, page by page, and no settled ones", async () => {
    const agent = `wf-${crypto.randomUUID()}`;
    const ids: string[] = [];
    for (const prompt of ["one", "two", "three"]) {
      const runId = await startRun({ ...graphOf({ kind: "question", prompt }), id: agent });
      await waitingRun(runId, "person");
      ids.unshift(`hitl_question_${runId}_1`);
    }
    const listed = async (query: Record<string, string | number> = {}) => client.approvals.list({ agent, ...query });
    await expect.poll(async () => (await listed()).items.map(({ id }) => id), { timeout: 10_000 }).toEqual(ids);
    const first = await listed({ limit: 2 });
    expect(first.items.map(({ prompt }) => prompt)).toEqual(["three", "two"]);
    const second = await listed({ limit: 2, cursor: first.next_cursor ?? "" });
    expect(second).toMatchObject({
      items: [{ prompt: "one", request_kind: "question", source: "run" }],
      next_cursor: null,
    });
    expect((await listed({ kinds: "approval,escalation" })).items).toEqual([]);
    const { timestamp } = first.items[0] as { timestamp: string };
    expect((await listed({ since: timestamp })).items.map(({ prompt }) => prompt)).toEqual(["three"]);
    await client.approvals.respond(ids[1] ?? "", { answer: "x" });
    await expect
      .poll(async () => (await listed()).items.map(({ prompt }) => prompt), { timeout: 10_000 })
      .toEqual(["three", "one"]);
  });

  it("[L-24.8] shows no request of a run that was cancelled", async () => {
    const agent = `wf-${crypto.randomUUID()}`;
    const runId = await startRun({ ...graphOf(approval), id: agent });
    await waitingRun(runId, "person");
    await expect.poll(async () => (await client.approvals.list({ agent })).items.length, { timeout: 10_000 }).toBe(1);
    await client.cancelRun(runId);
    await expect.poll(async () => (await client.approvals.list({ agent })).items.length, { timeout: 10_000 }).toBe(0);
    expect(await client.approvals.get(`hitl_approval_${runId}_1`)).toMatchObject({ status: "cancelled" });
  });

  it.each([
    ["kinds=poll", "hitl_pending: unsupported kind 'poll'"],
    ["since=yesterday", "hitl_pending: invalid since: yesterday is not RFC 3339"],
    ["cursor=nonsense", "cursor: is not a cursor of this list"],
  ])("[L-24.9] refuses %s", async (query, detail) => {
    expect(await refusal(get(`/v1/approvals?${query}`))).toMatchObject({
      status: 400,
      code: "invalid_request",
      detail,
    });
  });
});

const form = (fields: Readonly<Record<string, string>>): RequestInit => ({
  method: "POST",
  headers: { "Content-Type": "application/x-www-form-urlencoded" },
  body: new URLSearchParams(fields).toString(),
});

const linkTo = async (id: string, reviewer = "ann", seconds = 60): Promise<string> => {
  const { url } = await client.approvals.link(id, { reviewer, expires_in_s: seconds });
  return url.replace("https://godwit.test", "");
};

describe("a signed link", () => {
  it("[L-24.5] shows what is asked to whoever opens it, decides nothing by that, and takes the answer", async () => {
    const { runId, id } = await asking({ ...approval, detail: { note: "<script>alert(1)</script>" } });
    const path = await linkTo(id);
    const page = await send(path);
    expect([page.status, page.headers.get("Content-Type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.headers.get("Content-Security-Policy")).toContain("form-action 'self'");
    expect(page.headers.get("Cache-Control")).toBe("no-store");
    const html = await page.text();
    expect(html).toContain("deploy &lt;production&gt;");
    expect(html).toContain("You answer as <strong>ann</strong>");
    expect(html).not.toContain("<script");
    expect((await send(path, { method: "HEAD" })).status).toBe(200);
    expect((await client.approvals.get(id)).status).toBe("open");
    const answered = await send(path, form({ decision: "approve", reason: "looks good" }));
    expect(answered.status).toBe(200);
    expect(await answered.text()).toContain("It was approved.");
    expect(await client.approvals.get(id)).toMatchObject({
      status: "approved",
      outcome: { value: { reviewers: ["ann"], reason: "looks good" } },
    });
    expect(nodesOf(await runWith(runId, "completed"))).toEqual(["p", "yes"]);
    const late = await send(path, form({ decision: "deny" }));
    expect(late.status).toBe(409);
  });

  it("[L-24.5] is not valid when it was changed, nor after its time", async () => {
    const { id } = await asking(approval);
    const path = await linkTo(id);
    const [, payload = "", signature = ""] = path.split(".");
    const other = `${payload.slice(0, -2)}${payload.endsWith("A") ? "BB" : "AA"}`;
    expect((await send(path.replace(payload, other))).status).toBe(403);
    expect((await send(path.replace(signature, `A${signature.slice(1)}`.replace(/^A(?=A)/, "B")))).status).toBe(403);
    expect((await send("/approve/v1.e30.x", form({ decision: "approve" }))).status).toBe(403);
    const short = await linkTo(id, "ann", 1);
    await expect.poll(async () => (await send(short)).status, { timeout: 5_000, interval: 200 }).toBe(410);
    expect((await send(short, form({ decision: "approve" }))).status).toBe(410);
    expect((await client.approvals.get(id)).status).toBe("open");
  });

  it("[L-24.5] is made only for somebody who is asked, and only while there is something to answer", async () => {
    const { id } = await asking(approval);
    const path = `/v1/approvals/${id}/links`;
    expect(await refusal(post(path, { reviewer: "eve" }))).toMatchObject({ status: 400, code: "invalid_request" });
    await client.approvals.respond(id, { approved: false, reviewer: "bob" });
    expect(await refusal(post(path, { reviewer: "ann" }))).toMatchObject({ status: 409, code: "approval_decided" });
    expect((await send(path, { method: "POST" })).status).toBe(401);
  });

  it("[L-24.3] takes the answer of a question in the form that its schema asks for", async () => {
    const { runId, id } = await asking({ kind: "question", prompt: "How many?", schema: { type: "integer" } });
    const path = await linkTo(id, "anybody");
    const wrong = await send(path, form({ decision: "answer", answer: "many" }));
    expect(wrong.status).toBe(400);
    expect(await wrong.text()).toContain('role="alert"');
    expect((await send(path, form({ decision: "answer", answer: "12" }))).status).toBe(200);
    expect((await runWith(runId, "completed")).artifacts[0]?.data).toMatchObject({ data: 12 });
  });

  it("[L-24.5] takes a form and nothing else", async () => {
    const { id } = await asking(approval);
    const path = await linkTo(id);
    const json = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
    expect((await send(path, json)).status).toBe(415);
    expect((await send(path, form({ decision: "accept" }))).status).toBe(400);
    expect((await send(path, form({ decision: "x".repeat(70_000) }))).status).toBe(413);
    expect((await client.approvals.get(id)).status).toBe("open");
  });
});

describe("the database", () => {
  it("[architecture 2] finds open requests by their own index", async () => {
    const plan = await env.DB.prepare(
      "EXPLAIN QUERY PLAN SELECT request_id FROM requests INDEXED BY requests_open WHERE tenant = ? AND status = 'open' AND (requested_at, request_id) < (?, ?) ORDER BY requested_at DESC, request_id DESC LIMIT 2",
    )
      .bind("default", "2026", "x")
      .all<{ detail: string }>();
    const text = plan.results.map(({ detail }) => detail).join("\n");
    expect(text).toContain("requests_open");
    expect(text).not.toContain("TEMP B-TREE");
  });
});
