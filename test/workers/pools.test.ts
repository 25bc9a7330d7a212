import { env } from "cloudflare:workers";
import {
  createExecutionContext,
  createMessageBatch,
  evictDurableObject,
  getQueueResult,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { poolObjectName } from "../../src/engine/pool/identity.ts";
import worker from "../../src/index.ts";
import { clientFor, get, migrateDatabase, post, refusal, ROOT_KEY, send } from "./http-setup.ts";

beforeAll(migrateDatabase);

const name = (): string => `pool-${crypto.randomUUID()}`;

const pools = clientFor().pools;

interface Offer {
  readonly task_id: string;
}

interface Inside {
  env: Record<string, unknown>;
  store: { write: (sql: string, ...bindings: unknown[]) => number };
}

const stubOf = (pool: string) =>
  env.TASK_POOL.getByName(
    poolObjectName("default", { scope: "session", scope_id: null, name: pool }),
  ) as unknown as DurableObjectStub & {
    claim: (id: string) => Promise<{ reply: { token: string; lease_ms: number } | null }>;
    end: (id: string, token: string, outcome: unknown) => Promise<{ ok: boolean }>;
  };

const keepIn =
  (offers: Offer[]) =>
  (messages: readonly { readonly body: Offer }[]): Promise<void> => {
    offers.push(...messages.map(({ body }) => body));
    return Promise.resolve();
  };

/** Keeps what the pool offers from the queue. */
const holdOffers = async (pool: string): Promise<Offer[]> => {
  const offers: Offer[] = [];
  await runInDurableObject(stubOf(pool), (object) => {
    const inside = object as unknown as Inside;
    inside.env = { ...inside.env, TASK_QUEUE: { sendBatch: keepIn(offers) } };
  });
  return offers;
};

const ids = (offers: readonly Offer[]): readonly string[] => offers.map((offer) => offer.task_id);

let count = 0;

const consume = async (bodies: readonly unknown[], settings = {}) => {
  const messages = bodies.map((body) => ({ id: `t${(count += 1)}`, timestamp: new Date(0), attempts: 1, body }));
  const batch = createMessageBatch("godwit-tasks", messages);
  const ctx = createExecutionContext();
  await worker.queue(batch, { ...env, ...settings } as Env, ctx);
  return getQueueResult(batch, ctx);
};

describe("pools over HTTP", () => {
  it("[L-26] a task is submitted, carried out by the consumer of its queue, and waited for", async () => {
    const pool = await pools.create({ name: name(), max_concurrent: 2 });
    const tasks = await Promise.all([1, 2, 3].map((n) => pools.submit(pool.id, { handler: "echo", args: { n } })));
    const waited = await pools.wait(pool.id, { tasks: tasks.map(({ id }) => id), timeout_ms: 20_000 });
    expect(waited.done).toBe(true);
    expect(waited.tasks.map(({ status, result }) => [status, result])).toEqual([
      ["completed", { n: 1 }],
      ["completed", { n: 2 }],
      ["completed", { n: 3 }],
    ]);
    expect(await pools.task(pool.id, tasks[0]?.id ?? "")).toEqual(waited.tasks[0]);
    expect(await pools.get(pool.id, { limit: 2 })).toMatchObject({ completed: 3, active: 0, total: 3 });
    const { topic, items } = await pools.audit(pool.id);
    expect(topic).toBe("lifecycle.pool.audit");
    expect(items.map(({ kind }) => kind).filter((kind) => kind === "pool_complete")).toHaveLength(3);
  });

  it("[L-26.1, L-30.7] making a pool again is the same pool, and it is found by its names", async () => {
    const body = { name: name(), scope: "pipeline", scope_id: "flow/1", max_concurrent: 3 };
    const made = await post("/v1/pools", body);
    expect(made.status).toBe(201);
    const pool = (await made.json()) as { id: string };
    expect(pool.id).toMatch(/^pool_pipeline_[0-9a-f]{32}$/);
    const again = await post("/v1/pools", body);
    expect([again.status, await again.json()]).toEqual([200, pool]);
    expect(await refusal(post("/v1/pools", { ...body, max_concurrent: 4 }))).toMatchObject({
      status: 409,
      code: "pool_already_exists",
      detail: `pool_create: pool '${body.name}' already exists (id=${pool.id}); use pool_get to reuse`,
    });
    const item = { id: pool.id, name: body.name, scope: "pipeline", scope_id: "flow/1", max_concurrent: 3 };
    for (const query of [{ name: body.name }, { scope: "pipeline", scope_id: "flow/1" }])
      expect(await pools.list(query)).toMatchObject({ items: [item], next_cursor: null });
    expect((await clientFor(ROOT_KEY, "other").pools.list()).items).toEqual([]);
    expect(await refusal(send(`/v1/pools/${pool.id}`, otherTenant))).toMatchObject({ code: "pool_not_found" });
  });

  it("[I5] an Idempotency-Key makes making and submitting safe to repeat", async () => {
    const key = { "Idempotency-Key": crypto.randomUUID() };
    const [one, two] = [await post("/v1/pools", {}, key), await post("/v1/pools", {}, key)];
    expect([one.status, two.status]).toEqual([201, 200]);
    const pool = (await one.json()) as { id: string };
    expect(await two.json()).toEqual(pool);
    const submit = (args: number) => post(`/v1/pools/${pool.id}/tasks`, { handler: "echo", args }, key);
    const [first, second] = [await submit(1), await submit(1)];
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(((await second.json()) as Offer & { id: string }).id).toBe(((await first.json()) as { id: string }).id);
    expect(await refusal(submit(2))).toMatchObject({ status: 409, code: "idempotency_key_reused" });
  });

  it("[L-26] refusals have the words of the specification", async () => {
    const pool = await pools.create({
      name: name(),
      backpressure: { kind: "queue", max_depth: 1, on_full: "fail_submitter" },
    });
    await holdOffers(pool.name);
    const path = `/v1/pools/${pool.id}/tasks`;
    expect(await refusal(post("/v1/pools", { max_concurrent: 0 }))).toMatchObject({
      status: 400,
      detail: "pool_create: max_concurrent must be >= 1",
    });
    expect(await refusal(post(path, { handler: "echo", idempotency_key: "" }))).toMatchObject({
      status: 400,
      detail: "pool.submit: idempotency_key cannot be empty",
    });
    for (let tasks = 0; tasks < 2; tasks += 1) await pools.submit(pool.id, { handler: "echo" });
    expect(await refusal(post(path, { handler: "echo" }))).toMatchObject({ status: 429, code: "pool_full" });
    expect(await refusal(get(`${path}/nobody`))).toMatchObject({ status: 404, code: "task_not_found" });
    expect(await refusal(post(`/v1/pools/${pool.id}/wait`, { tasks: ["nobody"] }))).toMatchObject({
      status: 404,
      detail: "pool_wait: task not found: nobody",
    });
    expect(await refusal(post(`/v1/pools/${pool.id}/wait`, { tasks: [7] }))).toMatchObject({
      status: 400,
      detail: "pool_wait: expected pool task handle (got int)",
    });
    expect(await refusal(get("/v1/pools/pool_x"))).toMatchObject({ status: 404, detail: "pool not found: pool_x" });
    expect(await refusal(get("/v1/pools?cursor=x"))).toMatchObject({ status: 400 });
  });

  it("[L-31] a blocked submitter has an answer at once, and its task a place in its turn", async () => {
    const pool = await pools.create({ name: name(), backpressure: { kind: "queue", max_depth: 1 } });
    const offers = await holdOffers(pool.name);
    const submit = () => post(`/v1/pools/${pool.id}/tasks`, { handler: "echo", args: "x" });
    for (let tasks = 0; tasks < 2; tasks += 1) expect((await submit()).status).toBe(201);
    const blocked = await submit();
    expect(blocked.status).toBe(202);
    const ticket = (await blocked.json()) as { id: string; status: string };
    expect(ticket).toMatchObject({ status: "blocked", tickets_before: 0 });
    expect(await pools.wait(pool.id, { tasks: [ticket.id], timeout_ms: 0 })).toMatchObject({ done: false });
    for (let tasks = 0; tasks < 3; tasks += 1) {
      await vi.waitFor(() => expect(offers.length).toBeGreaterThan(tasks), { timeout: 5_000 });
      await consume(offers.slice(tasks));
    }
    expect(await pools.wait(pool.id, { tasks: { id: ticket.id } })).toMatchObject({
      done: true,
      tasks: [{ status: "completed", result: "x" }],
    });
  });

  it("[L-31] a pool is removed once it is empty, and its name is free again", async () => {
    const body = { name: name() };
    const pool = await pools.create(body);
    const offers = await holdOffers(pool.name);
    const task = await pools.submit(pool.id, { handler: "echo" });
    expect(await pools.remove(pool.id)).toMatchObject({ removed: false, pool: { draining: true, active: 1 } });
    expect(await refusal(post(`/v1/pools/${pool.id}/tasks`, { handler: "echo" }))).toMatchObject({
      status: 409,
      code: "pool_draining",
    });
    await consume(offers);
    expect((await pools.task(pool.id, task.id)).status).toBe("completed");
    expect(await pools.remove(pool.id)).toMatchObject({ removed: true });
    expect(await refusal(get(`/v1/pools/${pool.id}`))).toMatchObject({ code: "pool_not_found" });
    expect((await pools.list({ name: body.name })).items).toEqual([]);
    expect((await pools.create(body)).id).not.toBe(pool.id);
  });
});

const otherTenant = { headers: { Authorization: `Bearer ${ROOT_KEY}`, "Godwit-Tenant": "other" } };

describe("the consumer of tasks", () => {
  it("[L-26.4] a function that is not registered fails its task, and only that", async () => {
    const pool = await pools.create({ name: name() });
    const task = await pools.submit(pool.id, { handler: "nobody", retry: { max_attempts: 3 } });
    expect(await pools.wait(pool.id, { tasks: task.id })).toMatchObject({
      done: true,
      tasks: [{ status: "failed", attempts: 1, error: 'no function "nobody" is registered; registered: echo' }],
    });
  });

  it("[L-26.6] acknowledges what is over, unknown or not an offer, and carries nothing out twice", async () => {
    const pool = await pools.create({ name: name() });
    const offers = await holdOffers(pool.name);
    const task = await pools.submit(pool.id, { handler: "echo", args: 1 });
    await vi.waitFor(() => expect(offers).toHaveLength(1));
    const [offer] = offers;
    const result = await consume([offer, offer, { ...offer, name: name() }, "odd"]);
    expect(result.explicitAcks).toHaveLength(4);
    expect(await pools.task(pool.id, task.id)).toMatchObject({ status: "completed", attempts: 1 });
    expect((await consume([offer], { GODWIT_QUEUES: "memory" })).ackAll).toBe(true);
  });

  it("[L-26.6, I1] a consumer that is lost loses its claim, and the alarm offers the task again", async () => {
    const pool = await pools.create({ name: name(), stale_after_ms: 0 });
    const offers = await holdOffers(pool.name);
    const task = await pools.submit(pool.id, { handler: "echo", args: "y" });
    const stub = stubOf(pool.name);
    const claimed = await stub.claim(task.id);
    expect(claimed.reply).toMatchObject({ lease_ms: 5_000, attempt: 1 });
    expect((await stub.claim(task.id)).reply).toBeNull();
    // The claim runs out as time goes by, which the test does not wait for.
    await runInDurableObject(stub, (_, state) => {
      state.storage.sql.exec(
        "UPDATE task SET state = json_set(state, '$.lease_expires_at_ms', 1) WHERE task_id = ?",
        task.id,
      );
    });
    await evictDurableObject(stub);
    const again = await holdOffers(pool.name);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(ids(again)).toEqual([task.id]);
    expect(ids(offers)).toEqual([task.id]);
    await consume(again);
    expect(await pools.task(pool.id, task.id)).toMatchObject({ status: "completed", attempts: 2, result: "y" });
    const late = await stub.end(task.id, claimed.reply?.token ?? "", { type: "succeeded", result: "late" });
    expect(late.ok).toBe(false);
  });

  it("[I1, L-30.7] what was queued over the loss of an instance runs", async () => {
    const pool = await pools.create({ name: name() });
    await holdOffers(pool.name);
    const tasks = [await pools.submit(pool.id, { handler: "echo" }), await pools.submit(pool.id, { handler: "echo" })];
    const stub = stubOf(pool.name);
    await evictDurableObject(stub);
    expect(await pools.get(pool.id)).toMatchObject({ active: 1, queued: 1 });
    await (stub as unknown as { recover: () => Promise<void> }).recover();
    const waited = await pools.wait(pool.id, { tasks: tasks.map(({ id }) => id) });
    expect(waited).toMatchObject({ done: true, tasks: [{ status: "completed" }, { status: "completed" }] });
  });
});

describe("what a task costs", () => {
  it("[I3] one row to submit, one to claim, one to end", async () => {
    const pool = await pools.create({ name: name() });
    await holdOffers(pool.name);
    const stub = stubOf(pool.name);
    const task = await pools.submit(pool.id, { handler: "echo" });
    const costs = await runInDurableObject(stub, (object) => {
      const inside = object as unknown as Inside & {
        submit: (pool: string, request: unknown) => { reply: { task: { id: string } } };
        claim: (id: string) => { reply: { token: string } };
        end: (id: string, token: string, outcome: unknown) => unknown;
      };
      let rows = 0;
      const { write } = inside.store;
      inside.store.write = (sql, ...bindings) => {
        const written = write(sql, ...bindings);
        rows += written;
        return written;
      };
      const rowsOf = <Reply>(work: () => Reply): readonly [number, Reply] => {
        rows = 0;
        const reply = work();
        return [rows, reply];
      };
      const [claim, claimed] = rowsOf(() => inside.claim(task.id));
      const [end] = rowsOf(() => inside.end(task.id, claimed.reply.token, { type: "succeeded", result: 1 }));
      const [submit] = rowsOf(() => inside.submit(pool.id, { options: { handler: "echo" }, request_key: null }));
      return { submit, claim, end };
    });
    expect(costs).toEqual({ submit: 1, claim: 1, end: 1 });
  });
});
