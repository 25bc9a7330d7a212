import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { get, migrateDatabase, post, refusal, send, ROOT_KEY } from "./http-setup.ts";

beforeAll(migrateDatabase);

const read = async (answer: Promise<Response>): Promise<Record<string, unknown>> => {
  const response = await answer;
  const body = (await response.json()) as Record<string, unknown>;
  if (response.status >= 300) throw new Error(JSON.stringify(body));
  return body;
};

const put = (path: string, body: unknown): Promise<Response> =>
  send(path, {
    method: "PUT",
    headers: { Authorization: `Bearer ${ROOT_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

interface Claimed {
  readonly claim: { readonly claim_id: string; readonly expires_at: string } | null;
  readonly job: { readonly job_id: string; readonly payload: unknown; readonly status: string } | null;
}

const claim = async (queue: string, headers = {}, change = {}): Promise<Claimed> =>
  (await read(post(`/v1/queues/${queue}/claim`, { consumer_id: "c", ...change }, headers))) as unknown as Claimed;

const name = (): string => `q-${crypto.randomUUID()}`;

const queueStub = (queue: string) => env.WORK_QUEUE.getByName(`default/${queue}`) as unknown as DurableObjectStub;

describe("queues over HTTP", () => {
  it("[T-16.3] a job goes from put to claimed to acknowledged", async () => {
    const queue = name();
    const job = await read(post(`/v1/queues/${queue}/jobs`, { payload: { n: 1 }, priority: "high" }));
    expect(job).toMatchObject({ status: "ready", priority: "high", deliveries: 0, claim: null });
    const taken = await claim(queue);
    expect(taken).toMatchObject({ job: { job_id: job["job_id"], payload: { n: 1 }, status: "claimed" } });
    expect(await claim(queue)).toEqual({ claim: null, job: null });
    const path = `/v1/queues/${queue}/jobs/${String(job["job_id"])}`;
    const body = { claim_id: taken.claim?.claim_id, result: { done: true } };
    expect(await read(post(`${path}/renew`, { claim_id: body.claim_id, ttl_ms: 600_000 }))).toMatchObject({
      status: "claimed",
    });
    const first = await read(post(`${path}/ack`, body));
    expect(first).toMatchObject({ status: "acked", result: { done: true } });
    expect(await read(post(`${path}/ack`, body))).toEqual(first);
    expect(await refusal(post(`${path}/renew`, { claim_id: body.claim_id }))).toMatchObject({
      status: 409,
      code: "stale_attempt",
    });
    const view = await read(get(`/v1/queues/${queue}`));
    expect(view).toMatchObject({ queue, ready: 0, in_flight: 0, acked: 1, policy: { strategy: "fifo" } });
    expect(JSON.stringify(view)).not.toContain(String(body.claim_id));
  });

  it("[T-16.3] a released job is ready again, a failed one rests, one that failed for good is a dead letter", async () => {
    const queue = name();
    const { job_id: id } = await read(post(`/v1/queues/${queue}/jobs`, { job_id: "run:a:1", payload: null }));
    const path = `/v1/queues/${queue}/jobs/${encodeURIComponent(String(id))}`;
    const first = await claim(queue);
    const release = { claim_id: first.claim?.claim_id, reason: " " };
    expect(await read(post(`${path}/release`, release))).toMatchObject({ status: "ready", deliveries: 0 });
    expect(await read(post(`${path}/release`, release))).toMatchObject({ status: "ready", deliveries: 0 });
    const second = await claim(queue);
    const failed = await read(post(`${path}/fail`, { claim_id: second.claim?.claim_id, error: "no git" }));
    expect(failed).toMatchObject({ status: "waiting", deliveries: 1, error: "no git" });
    expect((await claim(queue)).job).toBeNull();
    await read(put(`/v1/queues/${queue}`, { max_deliveries: 2 }));
    await read(post(`/v1/queues/${queue}/jobs`, { job_id: "other", payload: 1 }));
    const third = await claim(queue);
    const dead = { claim_id: third.claim?.claim_id, error: "broken", retry: false };
    expect(await read(post(`/v1/queues/${queue}/jobs/other/fail`, dead))).toMatchObject({ status: "dead" });
    expect(await read(get(`/v1/queues/${queue}?status=dead`))).toMatchObject({
      dead: 1,
      waiting: 1,
      policy: { max_deliveries: 2 },
      jobs: [{ job_id: "other", error: "broken" }],
    });
  });

  it("[I5] an Idempotency-Key makes putting and claiming safe to repeat", async () => {
    const queue = name();
    const key = { "Idempotency-Key": crypto.randomUUID() };
    const job = await read(post(`/v1/queues/${queue}/jobs`, { payload: 1 }, key));
    expect((await read(post(`/v1/queues/${queue}/jobs`, { payload: 1 }, key)))["job_id"]).toBe(job["job_id"]);
    expect(await refusal(post(`/v1/queues/${queue}/jobs`, { payload: 2 }, key))).toMatchObject({
      code: "idempotency_key_reused",
    });
    await read(post(`/v1/queues/${queue}/jobs`, { payload: 3 }));
    const taken = await claim(queue, key);
    expect((await claim(queue, key)).claim).toEqual(taken.claim);
    expect((await claim(queue)).job?.payload).toBe(3);
  });

  it("[T-16.1] names are checked, sizes are bounded, unknown jobs are not found", async () => {
    const queue = name();
    expect(await refusal(post("/v1/queues/%20/jobs", { payload: 1 }))).toMatchObject({
      status: 400,
      detail: "worker queue name cannot be empty",
    });
    expect(await refusal(post(`/v1/queues/${queue}/claim`, { consumer_id: " " }))).toMatchObject({
      status: 400,
      detail: "worker queue consumer id cannot be empty",
    });
    expect(await refusal(post(`/v1/queues/${queue}/jobs/x/ack`, { claim_id: "c" }))).toMatchObject({
      status: 404,
      code: "job_not_found",
    });
    expect(await refusal(post(`/v1/queues/${queue}/jobs`, { payload: "x".repeat(262_144) }))).toMatchObject({
      status: 413,
    });
    expect(await read(get(`/v1/queues/${queue}`))).toMatchObject({ ready: 0, oldest_unclaimed_age_ms: null, jobs: [] });
  });

  it("[architecture 2] a claim may wait for a job outside the object", async () => {
    const queue = name();
    const waiting = claim(queue, {}, { wait_ms: 10_000 });
    await read(post(`/v1/queues/${queue}/jobs`, { payload: "late" }));
    expect((await waiting).job?.payload).toBe("late");
  });

  it("[T-16.3] purging takes what is ready and leaves what is claimed", async () => {
    const queue = name();
    for (const payload of [1, 2, 3]) await read(post(`/v1/queues/${queue}/jobs`, { payload }));
    await claim(queue);
    expect(await read(post(`/v1/queues/${queue}/purge`, {}))).toEqual({ purged: 2 });
    expect(await read(get(`/v1/queues/${queue}`))).toMatchObject({ ready: 0, in_flight: 1, purged: 2 });
  });

  it("[architecture 2] another tenant's queue of the same name is another queue", async () => {
    const queue = name();
    await read(post(`/v1/queues/${queue}/jobs`, { payload: 1 }));
    expect(await claim(queue, { "Godwit-Tenant": "other" })).toEqual({ claim: null, job: null });
  });
});

describe("the object of a queue", () => {
  it("[architecture 2] jobs and claims outlive the instance", async () => {
    const queue = name();
    await read(post(`/v1/queues/${queue}/jobs`, { payload: "kept" }));
    await evictDurableObject(queueStub(queue));
    const taken = await claim(queue);
    expect(taken.job?.payload).toBe("kept");
    await evictDurableObject(queueStub(queue));
    expect((await claim(queue)).job).toBeNull();
    const path = `/v1/queues/${queue}/jobs/${String(taken.job?.job_id)}/ack`;
    expect(await read(post(path, { claim_id: taken.claim?.claim_id }))).toMatchObject({ status: "acked" });
  });

  it("[rows] each change of a job writes one row", async () => {
    const queue = name();
    await read(post(`/v1/queues/${queue}/jobs`, { payload: 0 }));
    const rows = await runInDurableObject(queueStub(queue), (object) => {
      const inside = object as unknown as {
        store: { write: (sql: string, ...bindings: unknown[]) => number; setAlarm: (at: number | null) => void };
        enqueue: (request: unknown) => unknown;
        claim: (request: unknown) => { reply: { job: { job_id: string; claim: { claim_id: string } } } };
        tell: (jobId: string, command: unknown) => unknown;
      };
      const { store } = inside;
      const { write, setAlarm } = store;
      let written = 0;
      store.write = (sql, ...bindings) => {
        const count = write(sql, ...bindings);
        written += count;
        return count;
      };
      store.setAlarm = (at) => {
        written += 1;
        setAlarm(at);
      };
      const cost = (body: () => void): number => {
        const before = written;
        body();
        return written - before;
      };
      const labels = { tenant: null, binding_key: null, trigger_id: null };
      const request = { job_id: "second", payload: 1, priority: "high", labels, max_deliveries: null, target: null };
      const enqueued = cost(() => inside.enqueue(request));
      const again = cost(() => inside.enqueue(request));
      let claim_id = "";
      const claimed = cost(() => {
        ({ claim_id } = inside.claim({ consumer_id: "c", ttl_ms: 60_000 }).reply.job.claim);
      });
      const renewed = cost(() => inside.tell("second", { type: "renew", claim_id, ttl_ms: 60_000 }));
      const acked = cost(() => inside.tell("second", { type: "ack", claim_id, result: 1 }));
      return { enqueued, again, claimed, renewed, acked };
    });
    expect(rows).toEqual({ enqueued: 1, again: 0, claimed: 1, renewed: 1, acked: 1 });
  });
});

const VERIFIED = {
  _type: "workflow_graph",
  entry: "build",
  nodes: {
    build: { kind: "stage", mode: "function", function: "echo" },
    check: { kind: "verify", verify: { command: "npm test", cwd: "repo", env: { CI: "1" } } },
    good: { kind: "stage", mode: "function", function: "echo" },
    bad: { kind: "stage", mode: "external" },
  },
  edges: [
    { from: "build", to: "check" },
    { from: "check", to: "good", branch: "passed" },
    { from: "check", to: "bad", branch: "failed" },
    { from: "check", to: "bad", branch: "error" },
  ],
} as const;

const startRun = async (options: object): Promise<string> =>
  String((await read(post("/v1/runs", { graph: VERIFIED, task: "t", options })))["run_id"]);

const runIn = (runId: string, test: (run: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> =>
  vi.waitUntil(
    async () => {
      const run = await read(get(`/v1/runs/${runId}`));
      return test(run) ? run : false;
    },
    { timeout: 10_000, interval: 20 },
  );

const waitsForBad = (run: Record<string, unknown>): boolean =>
  (run["waiting"] as { readonly node_id: string } | null)?.node_id === "bad";

interface Stage {
  readonly node_id: string;
  readonly branch: string | null;
  readonly verification: unknown;
  readonly metadata: Record<string, unknown>;
}

const stagesOf = (run: Record<string, unknown>): readonly Stage[] => run["stages"] as readonly Stage[];

const stageOf = (run: Record<string, unknown>, node: string): Stage | undefined =>
  stagesOf(run).find((stage) => stage.node_id === node);

const jobOf = (queue: string): Promise<Claimed> =>
  vi.waitUntil(
    async () => {
      const taken = await claim(queue);
      return taken.job === null ? false : taken;
    },
    { timeout: 10_000, interval: 20 },
  );

const settle = (queue: string, { claim: held, job }: Claimed, verb: string, body: object): Promise<unknown> =>
  read(
    post(`/v1/queues/${queue}/jobs/${encodeURIComponent(job?.job_id ?? "")}/${verb}`, {
      claim_id: held?.claim_id,
      ...body,
    }),
  );

describe("commands of verify nodes", () => {
  it("[W-7.1] a command goes through the run's queue and its result decides", async () => {
    const queue = name();
    const runId = await startRun({ command_queue: queue });
    const taken = await jobOf(queue);
    expect(taken.job).toMatchObject({
      payload: { type: "command", run_id: runId, node_id: "check", command: "npm test", cwd: "repo", env: { CI: "1" } },
      run_id: runId,
    });
    expect(JSON.stringify(taken)).not.toContain("attempt_token");
    await settle(queue, taken, "ack", { result: { stdout: "ok", stderr: "", exit_status: 0, success: true } });
    const run = await runIn(runId, (one) => one["status"] === "completed");
    expect(stagesOf(run).map((stage) => stage.node_id)).toEqual(["build", "check", "good"]);
    expect(stageOf(run, "check")).toMatchObject({ branch: "passed" });
  });

  it("[W-7.1] a command that exits non-zero fails, with its evidence told to the stage that repairs", async () => {
    const queue = name();
    const runId = await startRun({ command_queue: queue });
    const taken = await jobOf(queue);
    const result = { stdout: "", stderr: "1 failing", exit_status: 2, success: false };
    await settle(queue, taken, "ack", { result });
    await settle(queue, taken, "ack", { result });
    const run = await runIn(runId, waitsForBad);
    expect(stageOf(run, "check")).toMatchObject({
      branch: "failed",
      verification: {
        ok: false,
        checks: [{ kind: "exit_status", ok: false, expected: 0, actual: 2 }],
        findings: ["exit_status: expected 0, got 2"],
      },
    });
    const plan = await read(post(`/v1/runs/${runId}/stages/bad/prepare`, {}));
    expect(plan["prompt"]).toContain("<verification_findings>");
    expect(plan["prompt"]).toContain("exit_status: expected 0, got 2");
  });

  it("[W-20] a dead letter fails the stage and never passes it", async () => {
    const queue = name();
    const runId = await startRun({ command_queue: queue });
    await settle(queue, await jobOf(queue), "fail", { error: "no shell here", retry: false });
    const run = await runIn(runId, waitsForBad);
    expect(stageOf(run, "check")).toMatchObject({ branch: "error" });
    expect(String(stageOf(run, "check")?.metadata["error"])).toContain("no shell here");
  });

  it("[I1] a run that the queue could not tell is told by the alarm", async () => {
    const queue = name();
    const runId = await startRun({ command_queue: queue });
    const taken = await jobOf(queue);
    await runInDurableObject(queueStub(queue), async (object) => {
      const inside = object as unknown as { env: object; tell: (jobId: string, command: unknown) => unknown };
      const whole = inside.env;
      let tried = false;
      const request = () => {
        tried = true;
        return Promise.reject(new Error("unreachable"));
      };
      inside.env = { ...whole, WORKFLOW_RUN: { getByName: () => ({ request }) } };
      const result = { stdout: "ok", stderr: "", exit_status: 0, success: true };
      inside.tell(taken.job?.job_id ?? "", { type: "ack", claim_id: taken.claim?.claim_id, result });
      await vi.waitUntil(() => tried);
      inside.env = whole;
    });
    await vi.waitUntil(
      async () => {
        await runDurableObjectAlarm(queueStub(queue));
        return (await read(get(`/v1/runs/${runId}`)))["status"] === "completed";
      },
      { timeout: 10_000, interval: 100 },
    );
    expect(stageOf(await read(get(`/v1/runs/${runId}`)), "check")).toMatchObject({ branch: "passed" });
  });

  it("[W-20] without a queue the stage fails and says what to configure", async () => {
    const runId = await startRun({});
    const run = await runIn(runId, waitsForBad);
    expect(stageOf(run, "check")).toMatchObject({ branch: "error" });
    expect(String(stageOf(run, "check")?.metadata["error"])).toContain("GODWIT_COMMAND_QUEUE");
  });
});

describe("assets", () => {
  it("[W-7.2] a contract is read from a named asset, and a run keeps what it was created with", async () => {
    const asset = `contracts/${crypto.randomUUID()}.json`;
    const path = `/v1/assets/${encodeURIComponent(asset)}`;
    const graph = {
      _type: "workflow_graph",
      entry: "say",
      nodes: {
        say: { kind: "stage", mode: "external" },
        check: { kind: "verify", verify: { contract_path: asset } },
      },
      edges: [{ from: "say", to: "check" }],
    };
    const missing = `workflow verification contract read failed for ${asset}: no such asset`;
    expect(await refusal(post("/v1/runs", { graph, task: "t" }))).toMatchObject({ status: 422, detail: missing });
    expect(await read(post("/v1/workflows/validate", { graph }))).toMatchObject({ valid: false, errors: [missing] });
    await read(put(path, { content: [] }));
    expect(await refusal(post("/v1/runs", { graph, task: "t" }))).toMatchObject({
      detail: "workflow verification contract file must parse to a JSON object",
    });
    const stored = await read(put(path, { content: { required_text: "needle" } }));
    expect(await read(get(path))).toMatchObject({ ...stored, content: { required_text: "needle" } });
    const { run_id: runId } = await read(post("/v1/runs", { graph, task: "t" }));
    await read(put(path, { content: { required_text: "another" } }));
    const plan = await read(post(`/v1/runs/${String(runId)}/stages/say/prepare`, {}));
    expect(plan["prompt"]).toContain("needle");
    const complete = { attempt_token: plan["attempt_token"], result: { status: "done", text: "a needle in it" } };
    await read(post(`/v1/runs/${String(runId)}/stages/say/complete`, complete));
    const run = await runIn(String(runId), (one) => one["status"] === "completed");
    expect(stageOf(run, "check")?.verification).toMatchObject({
      ok: true,
      checks: [{ kind: "text", ok: true, expected: "needle", excerpt: "a needle in it" }],
    });
  });

  it("[architecture 2] assets are listed, bounded, deleted, and a tenant's own", async () => {
    const asset = `a-${crypto.randomUUID()}`;
    const stored = await read(put(`/v1/assets/${asset}`, { content: { b: 1, a: 2 } }));
    expect(stored).toMatchObject({ name: asset, size: 13 });
    const { items } = (await read(get("/v1/assets?limit=200"))) as unknown as { items: readonly { name: string }[] };
    expect(items.map((item) => item.name)).toContain(asset);
    expect(await refusal(get(`/v1/assets/${asset}`, { "Godwit-Tenant": "other" }))).toMatchObject({
      status: 404,
      code: "asset_not_found",
    });
    expect(await refusal(put(`/v1/assets/${asset}`, { content: "x".repeat(262_144) }))).toMatchObject({ status: 413 });
    const remove = () =>
      send(`/v1/assets/${asset}`, { method: "DELETE", headers: { Authorization: `Bearer ${ROOT_KEY}` } });
    expect((await remove()).status).toBe(204);
    expect(await refusal(remove())).toMatchObject({ status: 404 });
  });
});
