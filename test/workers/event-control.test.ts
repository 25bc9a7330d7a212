import { beforeAll, describe, expect, it, vi } from "vitest";
import type { EventView } from "../../src/schema/trigger-event.ts";
import { clientFor, migrateDatabase, post, refusal, send } from "./http-setup.ts";
import { startRun, waitingRun } from "./run-setup.ts";
import { accepted, defineWorkflow, eventIn, get, ISSUE_OPENED, put } from "./trigger-setup.ts";

beforeAll(async () => {
  await migrateDatabase();
  await defineWorkflow();
});

const client = clientFor();
const manual = { provider: "manual", secret: undefined, match: {} } as const;

const json = async <T>(answer: Promise<Response>): Promise<T> => {
  const response = await answer;
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${text}`);
  return JSON.parse(text) as T;
};

/** Fires an event and waits for it to be in a state. */
const fired = async (trigger: string, status: EventView["status"], body: object = {}): Promise<EventView> => {
  const { event_id: id } = await json<{ event_id: string }>(post(`/v1/triggers/${trigger}/fire`, body));
  return eventIn(id, status);
};

describe("firing", () => {
  it("[T-22.5] an event that is fired has the defaults of its trigger, and is handled", async () => {
    await put("by-hand", manual);
    const event = await fired("by-hand", "dispatched", { payload: { a: 1 }, headers: { "X-Note": "n", Cookie: "c" } });
    expect(event.event).toMatchObject({
      provider: "manual",
      kind: "manual",
      occurred_at: null,
      signature_status: { state: "unsigned" },
      provider_payload: { provider: "manual", schema_name: "TriggerEvent", raw: { a: 1 } },
      headers: { "X-Note": "n", Cookie: "[redacted]" },
    });
    expect(event.dedupe_key).toMatch(/^synthetic:manual:manual:[0-9a-f-]{36}$/);
    await put("hub");
    const issue = await fired("hub", "dispatched", { payload: JSON.parse(ISSUE_OPENED) as object });
    expect(issue.event).toMatchObject({
      kind: "issues.opened",
      provider_payload: { event: "issues", action: "opened", issue: { number: 1347 } },
    });
    expect((await fired("hub", "skipped", { kind: "push" })).verdicts).toMatchObject([{ outcome: "skipped" }]);
  });

  it("[T-22.5] an idempotency key, a dedupe key and an event id each stand for one event", async () => {
    await put("once", manual);
    const key = { "Idempotency-Key": "k1" };
    const [one, two] = [post("/v1/triggers/once/fire", {}, key), post("/v1/triggers/once/fire", {}, key)];
    const first = await json<object>(one);
    expect(await json(two)).toEqual(first);
    expect(await json(post("/v1/triggers/once/fire", {}, key))).toEqual(first);
    const other = refusal(post("/v1/triggers/once/fire", { kind: "x" }, key));
    expect(await other).toMatchObject({ status: 409, code: "idempotency_key_reused" });
    const named = { event_id: "mine", dedupe_key: "d" };
    expect(await json(post("/v1/triggers/once/fire", named))).toMatchObject({ event_id: "mine", duplicate: false });
    expect(await json(post("/v1/triggers/once/fire", named))).toMatchObject({ event_id: "mine", duplicate: true });
    await eventIn("mine", "dispatched");
    const taken = refusal(post("/v1/triggers/once/fire", { event_id: "mine", dedupe_key: "e" }));
    expect(await taken).toMatchObject({ status: 400, details: { issues: [{ path: "event_id" }] } });
    const unknown = refusal(post("/v1/triggers/nobody/fire", {}));
    expect(await unknown).toMatchObject({ status: 404, code: "trigger_not_found" });
    await post("/v1/triggers/once/pause", {});
    expect(await refusal(post("/v1/triggers/once/fire", {}))).toMatchObject({ status: 409, code: "trigger_paused" });
  });
});

describe("replay", () => {
  it("[T-23] a replay is a record of its own with runs of its own, beside its original", async () => {
    await put("again", manual);
    const event = await fired("again", "dispatched");
    const key = { "Idempotency-Key": "r1" };
    const made = await json<{ replay: number }>(
      post(`/v1/events/${event.event_id}/replay`, { requested_by: "me" }, key),
    );
    expect(made).toEqual({ event_id: event.event_id, replay: 1, binding_version: 1, dlq_id: null });
    expect(await json(post(`/v1/events/${event.event_id}/replay`, { requested_by: "me" }, key))).toEqual(made);
    const view = await vi.waitUntil(
      async () => {
        const found = await client.triggerEvents.getReplay(event.event_id, 1);
        return found.report.drift === null ? false : found;
      },
      { timeout: 10_000, interval: 20 },
    );
    expect(view.record).toMatchObject({ status: "dispatched", replay: { number: 1, requested_by: "me" } });
    expect(view.record.runs).not.toEqual(event.runs);
    // Its run is another one: that is the whole of the difference.
    expect(view.report.drift).toEqual({
      changed: true,
      fields: { result: { original: { run_id: event.run_id }, replayed: { run_id: view.record.run_id } } },
    });
    const now = await client.triggers.getEvent(event.event_id);
    expect(now.replays).toMatchObject([{ number: 1, status: "dispatched" }]);
    const { items } = await client.triggerEvents.log(event.event_id, { replay: 1 });
    expect(items.every((one) => one.headers["replay_of_event_id"] === event.event_id)).toBe(true);
    expect(items.map((one) => one.kind)).toContain("DispatchSucceeded");
    const missing = await refusal(get(`/v1/events/${event.event_id}/replays/2`));
    expect(missing).toMatchObject({ status: 404, code: "event_not_found" });
  });

  it("[T-23] the version is the recorded one, the one that is named, or the one that was active at a time", async () => {
    await put("versions", { ...manual, handler: { workflow: "triage", task: "one" } });
    const event = await fired("versions", "dispatched");
    const between = Date.now();
    await vi.waitUntil(() => Date.now() > between + 5);
    await put("versions", { ...manual, handler: { workflow: "triage", task: "two" } });
    const id = event.event_id;
    expect(await json(post(`/v1/events/${id}/replay`, { version: 2 }))).toMatchObject({ binding_version: 2 });
    expect(await json(post(`/v1/events/${id}/replay`, { as_of: between }))).toMatchObject({ binding_version: 1 });
    // Version 1 has ended with its last event: the one that was active when the event came handles it.
    expect(await json(post(`/v1/events/${id}/replay`, {}))).toMatchObject({
      binding_version: 1,
      fallback: { category: "replay.binding_version_gc_fallback", recorded_version: 1, resolved_version: 1 },
    });
    const unknown = await refusal(post(`/v1/events/${id}/replay`, { version: 9 }));
    expect(unknown).toMatchObject({ status: 400, detail: "unknown trigger binding 'versions' version 9" });
    const text = "invalid --as-of timestamp 'soon': expected RFC3339 or unix seconds/milliseconds";
    expect(await refusal(post(`/v1/events/${id}/replay`, { as_of: "soon" }))).toMatchObject({
      status: 400,
      details: { issues: [{ path: "as_of", message: text }] },
    });
    const early = await refusal(post(`/v1/events/${id}/replay`, { as_of: "1" }));
    expect(early.detail).toBe(
      "failed to resolve binding 'versions' as of 1970-01-01T00:00:01.000Z: no active trigger binding 'versions' at 1970-01-01T00:00:01Z",
    );
    expect(await refusal(post(`/v1/events/${id}/replay`, { as_of: 1, version: 1 }))).toMatchObject({ status: 400 });
  });
});

describe("cancel", () => {
  it("[T-13.1] an event that waits for its next attempt ends at once; one that is over is refused", async () => {
    await put("waits", { ...manual, handler: { workflow: "nowhere" } });
    const event = await fired("waits", "retrying");
    const key = { "Idempotency-Key": "c1" };
    const body = { requested_by: "me", reason: "not needed" };
    const cancelled = await json<EventView>(post(`/v1/events/${event.event_id}/cancel`, body, key));
    expect(cancelled).toMatchObject({ status: "cancelled", cancel: body });
    expect(cancelled.cancel?.audit_id).toMatch(/^trigger_audit_/);
    expect(await json(post(`/v1/events/${event.event_id}/cancel`, body, key))).toEqual(cancelled);
    const again = refusal(post(`/v1/events/${event.event_id}/cancel`, {}));
    expect(await again).toMatchObject({ status: 409, code: "event_settled" });
    expect(await refusal(post("/v1/events/none/cancel", {}))).toMatchObject({ status: 404, code: "event_not_found" });
  });

  it("[T-13.1] the run that handles an event is stopped with it", async () => {
    await defineWorkflow("slow", { mode: "external", function: undefined, prompt: "wait" });
    await put("runs", { ...manual, handler: { workflow: "slow", completion: "finished" } });
    const event = await fired("runs", "dispatching");
    const running = await vi.waitUntil(async () => {
      const found = await client.triggers.getEvent(event.event_id);
      return found.attempts[0]?.is_running === true ? found : false;
    });
    await client.triggerEvents.cancel(event.event_id, { reason: "stop" });
    expect(await eventIn(event.event_id, "cancelled")).toMatchObject({ run_id: running.run_id });
    expect((await client.getRun(running.run_id ?? "")).status).toBe("cancelled");
  });
});

describe("approval", () => {
  const careful = { ...manual, autonomy_tier: "act_auto", budget: { max_autonomous_decisions_per_hour: 1 } };

  it("[T-9.5] an event that waits for a person is listed, goes on when it is approved, and is decided once", async () => {
    await put("careful", careful);
    await fired("careful", "dispatched");
    const [one, two] = [await fired("careful", "waiting"), await fired("careful", "waiting")];
    const { items } = await vi.waitUntil(async () => {
      const page = await client.triggerEvents.approvals();
      return page.items.length === 2 ? page : false;
    });
    expect(items.map((item) => item.event_id).toSorted()).toEqual([one.event_id, two.event_id].toSorted());
    expect(items[0]).toMatchObject({ trigger_id: "careful", reason: expect.any(String) as string });
    expect(items.map(({ id }) => id)).toEqual(items.map(({ request_id }) => request_id));
    const call = { idempotency_key: "a1" };
    const answer = { approved: true, reviewer: "me" };
    const approved = await client.triggerEvents.approve(one.event_id, answer, call);
    expect(approved.approval?.decision).toMatchObject({ approved: true, reviewer: "me" });
    expect((await eventIn(one.event_id, "dispatched")).runs).toHaveLength(1);
    const repeated = await client.triggerEvents.approve(one.event_id, answer, call);
    expect(repeated.approval).toEqual(approved.approval);
    const denied = await client.triggerEvents.approve(two.event_id, { approved: false, reason: "no" });
    expect(denied).toMatchObject({ status: "skipped", runs: [] });
    const again = refusal(post(`/v1/events/${one.event_id}/approve`, { approved: true }));
    expect(await again).toMatchObject({ status: 409, code: "approval_decided" });
    await vi.waitUntil(async () => (await client.triggerEvents.approvals()).items.length === 0);
  });

  it("[T-9.5] is answered by the id of the request, too, which nobody can answer twice", async () => {
    await put("asked", careful);
    await fired("asked", "dispatched");
    const { event_id: id, approval } = await fired("asked", "waiting");
    const path = `/v1/approvals/${approval?.request_id}/respond`;
    const answer = await vi.waitUntil(async () => {
      const response = await post(path, { approved: true, reviewer: "me" });
      return response.status === 404 ? false : response;
    });
    expect([answer.status, await answer.json()]).toMatchObject([200, { event_id: id, approval: { decision: {} } }]);
    expect((await eventIn(id, "dispatched")).runs).toHaveLength(1);
    const again = refusal(post(`/v1/approvals/${id}/respond`, { approved: true }));
    expect(await again).toMatchObject({ status: 409, code: "approval_decided" });
    const unknown = client.triggerEvents.respond("approval_nobody", { approved: true });
    await expect(unknown).rejects.toMatchObject({ code: "approval_not_found" });
  });

  it("[L-24.9] stands in one list with what runs ask, newest first, page by page", async () => {
    await put("mixed", careful);
    await fired("mixed", "dispatched");
    const { event_id: event } = await fired("mixed", "waiting");
    const person = { kind: "question", prompt: "?" };
    const graph = { entry: "p", nodes: { p: { kind: "stage", mode: "person", person } }, edges: [] };
    const runId = await startRun(graph);
    await waitingRun(runId, "person");
    const [newest] = await vi.waitUntil(async () => {
      const { items } = await client.approvals.list();
      return items.length === 2 && items[1]?.event_id === event ? items : false;
    }, 10_000);
    expect(newest).toMatchObject({ source: "run", run_id: runId, request_kind: "question" });
    const first = await client.approvals.list({ limit: 1 });
    const second = await client.approvals.list({ limit: 1, cursor: first.next_cursor ?? "" });
    expect([first.items[0]?.run_id, second.items[0]?.event_id, second.next_cursor]).toEqual([runId, event, null]);
    expect((await client.approvals.list({ kinds: "question" })).items.map(({ source }) => source)).toEqual(["run"]);
    expect((await client.approvals.list({ kinds: "approval" })).items.map(({ source }) => source)).toEqual(["event"]);
    await client.approvals.respond(`hitl_question_${runId}_1`, { answer: "!" });
    await client.triggerEvents.approve(event, { approved: false });
  });

  it("[T-9.5] is answered by a signed link as well", async () => {
    await put("linked", careful);
    await fired("linked", "dispatched");
    const { event_id: id } = await fired("linked", "waiting");
    expect(await client.approvals.get(id)).toMatchObject({ source: "event", status: "open", event_id: id });
    const { url } = await client.approvals.link(id, { reviewer: "ann" });
    const path = new URL(url).pathname;
    expect((await send(path)).status).toBe(200);
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    const answered = await send(path, { method: "POST", headers: form, body: "decision=approve&reason=fine" });
    expect(answered.status).toBe(200);
    expect((await eventIn(id, "dispatched")).approval?.decision).toMatchObject({ reviewer: "ann", reason: "fine" });
    expect((await send(path, { method: "POST", headers: form, body: "decision=deny" })).status).toBe(409);
  });

  it("[T-9.5] nothing was asked about other events", async () => {
    await put("easy");
    const { event_id: id } = await accepted("/hooks/easy", { body: ISSUE_OPENED });
    await eventIn(id, "dispatched");
    const answer = refusal(post(`/v1/events/${id}/approve`, { approved: true }));
    expect(await answer).toMatchObject({ status: 404, code: "approval_not_found" });
  });
});
