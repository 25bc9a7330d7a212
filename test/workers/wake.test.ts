import { env } from "cloudflare:workers";
import { runDurableObjectAlarm } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import { get, migrateDatabase, post, refusal, ROOT_KEY, send } from "./http-setup.ts";
import { answered } from "./run-setup.ts";
import { accepted, deliver, eventIn, ISSUE_OPENED, SECRET } from "./trigger-setup.ts";
import { eventsOf, idOf, looping, says, spawned, workerNow, workerWith } from "./worker-setup.ts";

beforeAll(migrateDatabase);

const workerOf = (workerId: string): DurableObjectStub => env.AGENT_WORKER.getByName(`default/${workerId}`);

const settings = { GODWIT_SECRET_GITHUB_HOOK: SECRET };

const trigger = { provider: "github", kind: "issues.opened", secret_ref: "github/hook" };

/** The same as `answered`, in a deployment that has the secret of the trigger. */
const told = async (path: string, body: JsonObject): Promise<JsonObject> => {
  const headers = { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" };
  const response = await send(path, { method: "POST", headers, body: JSON.stringify(body) }, settings);
  const answer = (await response.json()) as JsonObject;
  if (response.status >= 300) throw new Error(JSON.stringify(answer));
  return answer;
};

const listenerOf = (worker: JsonObject): { id: string; version: number; path: string; state: string } =>
  (worker["suspension"] as JsonObject)["auto_resume_trigger"] as never;

const parkedWorker = (resume_when: JsonObject): Promise<JsonObject> =>
  told("/v1/workers", { name: "sleeper", task: "Begin", node: says("done"), options: { resume_when } });

const rowsOf = async (channel: string): Promise<number> =>
  (await env.DB.prepare("SELECT COUNT(*) AS n FROM channel_listeners WHERE channel = ?")
    .bind(channel)
    .first<number>("n")) ?? 0;

const gone = (id: string): Promise<void> =>
  expect
    .poll(async () => (await get(`/v1/triggers/${id}`)).status, { timeout: 10_000, interval: 25 })
    .toBe(404)
    .then(() => undefined);

const refused = async (given: JsonObject): Promise<unknown> =>
  refusal(post("/v1/workers", { task: "x", node: says("x"), options: { resume_when: { trigger: given } } }));

const publish = (): Promise<Response> =>
  post("/v1/channels/deploys/events", { payload: { release: 7 } }, { "Idempotency-Key": "release-7" });

describe("a trigger that wakes a worker", () => {
  it("[L-18.3] takes a signed webhook, with which the agent goes on behind its last step", async () => {
    const id = idOf(await spawned({ task: "Count", sub_agent: looping(300) }));
    const suspended = await told(`/v1/workers/${id}/suspend`, { reason: "an answer", conditions: { trigger } });
    const listener = listenerOf(suspended);
    expect(listener).toEqual({
      id: expect.stringMatching(new RegExp(`^auto_resume_${id}_[0-9a-f-]{36}$`)),
      version: 1,
      path: `/hooks/default/${listener.id}`,
      state: "listening",
    });
    expect(await (await get(`/v1/triggers/${listener.id}`)).json()).toMatchObject({
      state: "active",
      definition: { match: { events: ["issues.opened"] }, handler: { auto_resume: { worker_id: id } } },
    });
    await expect
      .poll(async () => (await workerNow(id))["suspension"], { timeout: 15_000 })
      .toMatchObject({ quiesced_at: expect.any(String) });
    expect((await deliver(listener.path, { body: ISSUE_OPENED, secret: "another", settings })).status).toBe(401);
    const other = await accepted(listener.path, { body: ISSUE_OPENED, event: "issue_comment", settings });
    expect((await eventIn(other.event_id, "skipped")).verdicts).toMatchObject([{ stage: "match" }]);
    expect(await workerNow(id)).toMatchObject({ status: "suspended" });
    const receipt = await accepted(listener.path, { body: ISSUE_OPENED, settings });
    expect(await eventIn(receipt.event_id, "dispatched")).toMatchObject({
      attempts: [{ attempt: 1, outcome: "success" }],
      result: { handler_kind: "auto_resume", worker_id: id },
    });
    const worker = await workerWith(id, "completed");
    expect(worker["task"]).toContain("Spelling error in the README file");
    expect(worker).toMatchObject({ suspension: null, result: { ok: true, summary: "all done" } });
    expect(JSON.stringify((worker["result"] as JsonObject)["transcript"])).toContain("Spelling error in the README");
    const events = (await eventsOf(id)).filter((event) => event !== "WorkerSpawned");
    expect(events).toEqual(["WorkerSuspended", "WorkerResumed", "WorkerCompleted"]);
    await gone(listener.id);
    expect((await deliver(listener.path, { body: ISSUE_OPENED, settings })).status).toBe(404);
  });

  it("[L-18.3] resumes once: what comes later is skipped, also where the trigger is still there", async () => {
    const worker = await parkedWorker({ trigger: { provider: "manual" } });
    const id = idOf(worker);
    const { id: triggerId, path } = listenerOf(worker);
    expect(path).toBe(null);
    const fire = (event: string): Promise<JsonObject> =>
      answered(`/v1/triggers/${triggerId}/fire`, { payload: { event }, kind: "go" });
    const [first, second] = await Promise.all([fire("one"), fire("two")]);
    const ends = await Promise.all(
      [first, second].map(async (receipt) => {
        const eventId = String(receipt["event_id"]);
        await expect
          .poll(async () => ((await (await get(`/v1/events/${eventId}`)).json()) as JsonObject)["status"], {
            timeout: 10_000,
          })
          .toMatch(/dispatched|skipped/);
        return (await (await get(`/v1/events/${eventId}`)).json()) as JsonObject;
      }),
    );
    expect(ends.map(({ status }) => status).toSorted()).toEqual(["dispatched", "skipped"]);
    expect(ends.find(({ status }) => status === "skipped")).toMatchObject({
      dead_letter: null,
      result: { skipped: true, code: "concurrent_resume_conflict" },
    });
    const ended = await workerWith(id, "completed");
    expect(ended["history"]).toHaveLength(2);
    expect((await eventsOf(id)).filter((name) => name === "WorkerResumed")).toHaveLength(1);
    await gone(triggerId);
  });

  it("[L-29.10] is gone when an operator was faster", async () => {
    const worker = await parkedWorker({ trigger });
    const { id: triggerId, path } = listenerOf(worker);
    expect(await answered(`/v1/workers/${idOf(worker)}/resume`, { input: "never mind" })).toMatchObject({
      status: "running",
      task: "never mind",
    });
    await gone(triggerId);
    expect((await deliver(path, { body: ISSUE_OPENED, settings })).status).toBe(404);
    expect(await workerWith(idOf(worker), "completed")).toMatchObject({ history: ["Begin", "never mind"] });
  });

  it("[L-32.5] is judged before anything is suspended", async () => {
    expect(await refused({ provider: "github" })).toMatchObject({
      status: 400,
      detail: expect.stringContaining("secret"),
    });
    expect(await refused({ ...trigger, secret: "in the clear" })).toMatchObject({
      detail:
        "HARN-SUS-002: invalid ResumeConditions.trigger: secret: would be kept with the worker as it is: name one with `secret_ref`",
    });
    expect(await refused({ kind: "x" })).toMatchObject({
      detail: "HARN-SUS-002: invalid ResumeConditions.trigger: trigger table missing provider",
    });
    // The deployment does not have that secret.
    expect(await refused(trigger)).toMatchObject({ status: 400, details: expect.anything() });
    const id = idOf(await spawned({ task: "Count", sub_agent: looping(300) }));
    expect((await post(`/v1/workers/${id}/suspend`, { conditions: { trigger } })).status).toBe(400);
    expect(await workerNow(id)).toMatchObject({ status: "running", suspension: null });
    await answered(`/v1/workers/${id}/close`, {});
  });

  it("[L-18.2] is nobody else's handler", async () => {
    const headers = { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" };
    const handler = { auto_resume: { worker_id: "worker_1", suspended_at: "" } };
    const body = JSON.stringify({ provider: "manual", handler });
    expect((await send("/v1/triggers/thief", { method: "PUT", headers, body })).status).toBe(400);
  });
});

/** The snapshot of a worker whose time has been over for long, under a new id. */
const overdue = async (on_timeout: string): Promise<string> => {
  const worker = await parkedWorker({ timeout: { duration_minutes: 1, on_timeout }, on_event: "late" });
  const snapshot = (await (await get(`/v1/workers/${idOf(worker)}/snapshot`)).json()) as JsonObject;
  const suspension = { ...(snapshot["suspension"] as JsonObject), suspended_at: "2020-01-01T00:00:00.000Z" };
  const id = `late_${on_timeout}`;
  const restored = await answered("/v1/workers/restore", { snapshot: { ...snapshot, id, suspension } });
  expect(restored).toMatchObject({ id, status: "suspended" });
  await answered(`/v1/workers/${idOf(worker)}/close`, {});
  return id;
};

describe("the end of a suspension's time", () => {
  it("[L-18.3] does nothing before its time", async () => {
    const id = idOf(await parkedWorker({ timeout: { duration_minutes: 1, on_timeout: "fail" } }));
    await runDurableObjectAlarm(workerOf(id));
    expect(await workerNow(id)).toMatchObject({ status: "suspended" });
    await answered(`/v1/workers/${id}/close`, {});
  });

  it("[L-18.3] fails the worker, resumes it with a digest, or with the timeout as its task", async () => {
    const failing = await overdue("fail");
    await runDurableObjectAlarm(workerOf(failing));
    expect(await workerWith(failing, "failed")).toMatchObject({
      error: "auto-resume timeout expired",
      suspension: null,
    });
    const digested = await overdue("resume_with_summary");
    await runDurableObjectAlarm(workerOf(digested));
    expect(await workerWith(digested, "completed")).toMatchObject({ history: ["Begin"] });
    const told = await overdue("resume_with_input");
    await runDurableObjectAlarm(workerOf(told));
    expect(JSON.parse(String((await workerWith(told, "completed"))["task"]))).toMatchObject({
      type: "auto_resume.timeout",
      worker_id: told,
      on_timeout: "resume_with_input",
    });
    await expect.poll(() => rowsOf("late"), { timeout: 10_000 }).toBe(0);
  });
});

describe("a channel", () => {
  it("[L-30.5] wakes every worker that listens on it, each once", async () => {
    const workers = await Promise.all([1, 2].map(() => parkedWorker({ on_event: "deploys" })));
    const elsewhere = await parkedWorker({ on_event: "other" });
    const ids = workers.map(idOf).toSorted();
    expect(listenerOf(workers[0] ?? {})).toMatchObject({ path: null, state: "listening" });
    expect(await rowsOf("deploys")).toBe(2);
    const [first, second] = [await (await publish()).json(), await (await publish()).json()];
    expect(first).toMatchObject({ channel: "deploys", noted: [] });
    expect([...(first as { resumed: string[] }).resumed].toSorted()).toEqual(ids);
    expect((second as JsonObject)["event_id"]).toBe((first as JsonObject)["event_id"]);
    for (const id of ids) {
      const worker = await workerWith(id, "completed");
      expect(worker["history"]).toEqual(["Begin", '{"release":7}']);
      expect((await eventsOf(id)).filter((name) => name === "WorkerResumed")).toHaveLength(1);
    }
    expect(await workerNow(idOf(elsewhere))).toMatchObject({ status: "suspended" });
    await expect.poll(() => rowsOf("deploys"), { timeout: 10_000 }).toBe(0);
    expect(await (await post("/v1/channels/deploys/events", { payload: 1 })).json()).toMatchObject({
      resumed: [],
      noted: [],
    });
    expect(await refusal(post("/v1/channels/a%20b/events", {}))).toMatchObject({ status: 400 });
  });

  it("[L-32.4] is noted by a worker that has not come to rest, which is woken when it has", async () => {
    const id = idOf(await spawned({ task: "Wait", node: { kind: "stage", mode: "external" } }));
    await expect.poll(() => eventsOf(id), { timeout: 10_000 }).toEqual(["WorkerSpawned"]);
    await answered(`/v1/workers/${id}/suspend`, { conditions: { on_event: "soon" } });
    const { noted, resumed } = (await (await post("/v1/channels/soon/events", { payload: "go on" })).json()) as {
      noted: string[];
      resumed: string[];
    };
    expect([...noted, ...resumed]).toEqual([id]);
    await runDurableObjectAlarm(workerOf(id));
    await expect.poll(async () => (await workerNow(id))["task"], { timeout: 10_000 }).toBe("go on");
    await answered(`/v1/workers/${id}/close`, {});
  });
});

describe("the panic broadcast", () => {
  it("[L-17.3] suspends what runs, in the order of ids, and overwrites no reason", async () => {
    const running = idOf(await spawned({ task: "Wait", node: { kind: "stage", mode: "external" } }));
    const parked = idOf(await parkedWorker({ on_event: "never" }));
    const done = idOf(await spawned({ task: "Say", node: says("x") }));
    await workerWith(done, "completed");
    const asked = { reason: "fire", worker_ids: [running, "worker_none", parked, done] };
    const { items, next } = (await answered("/v1/workers/suspend_all", asked)) as unknown as {
      items: { worker_id: string; outcome: string }[];
      next: string | null;
    };
    expect(next).toBe(null);
    expect(items.map(({ worker_id }) => worker_id)).toEqual([running, "worker_none", parked, done].toSorted());
    expect(Object.fromEntries(items.map(({ worker_id, outcome }) => [worker_id, outcome]))).toEqual({
      [running]: "suspended",
      worker_none: "unknown",
      [parked]: "already_suspended",
      [done]: "not_running",
    });
    expect(await workerNow(running)).toMatchObject({
      suspension: { reason: "fire", initiator: "triggered", conditions: null, auto_resume_trigger: null },
    });
    expect(await workerNow(parked)).toMatchObject({ suspension: { reason: "resume_when" } });
    await expect
      .poll(async () => JSON.stringify(await answered("/v1/workers/suspend_all", {})), { timeout: 10_000 })
      .toContain(parked);
    for (const id of [running, parked]) await answered(`/v1/workers/${id}/close`, {});
  });
});
