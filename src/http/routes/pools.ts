import { POOL_AUDIT_TOPIC } from "../../engine/pool/audit.ts";
import { poolOptions } from "../../engine/pool/options.ts";
import type { Rejection } from "../../engine/machine.ts";
import type { TaskView } from "../../engine/pool/view.ts";
import { waitedTaskIds } from "../../engine/pool/wait.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { uuidIds } from "../../ports/ids.ts";
import {
  newestQuery,
  newPoolSchema,
  newTaskSchema,
  poolAuditSchema,
  poolPageSchema,
  poolQuery,
  poolSchema,
  poolTaskSchema,
  removedPoolSchema,
  waitedTasksSchema,
  waitTasksSchema,
} from "../../schema/api-pool.ts";
import type { Call } from "../call.ts";
import { idFor } from "../idempotency.ts";
import { CURSOR_ISSUE, decodeCursor, pageFrom } from "../page.ts";
import { type PoolObject, poolObject } from "../pool-object.ts";
import { deletePool, findPool, insertPool, listPools, poolPosition } from "../pool-rows.ts";
import { fromRejection, invalid, problem, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";

const shared = { tag: "Pools", access: "queues" } as const;

/** The object of a pool; ask it again for each call, a stub of a reset object stays broken. */
const found = async (call: Call, id: string): Promise<Result<() => PoolObject, Problem>> => {
  const { env, tenant } = call;
  const address = await findPool(env.DB, tenant, id);
  if (address === null) return err(problem("pool_not_found", `pool not found: ${id}`, { pool_id: id }));
  return ok(() => poolObject(env, tenant, address));
};

/** An option that a pool does not take, in the words of the specification (spec/workers 26.1, 26.2). */
const wrongOption = (text: string): Problem => {
  const named =
    /^\w+(?:\.submit)?: (?:unknown (queue|backpressure|scope)\b|(?!options)([a-z_.]+) (?:must|cannot|is)\b)/.exec(text);
  return invalid([{ path: named?.[1] ?? named?.[2] ?? ".", message: text }], text);
};

const addCreate = (router: Router): void =>
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/pools",
      operation: "create_pool",
      summary: "Make a pool, or get the one that is there",
      description: "201 for a new pool, 200 for one with the same scope, scope id, name and options.",
      body: { name: "NewPool", schema: newPoolSchema, optional: true },
      reply: { status: 201, description: "The pool", name: "Pool", schema: poolSchema },
      problems: ["pool_already_exists"],
    },
    async ({ body, call }) => {
      const options = poolOptions(body as Json);
      if (!options.ok) return wrongOption(options.error);
      const known = idFor(call, "create_pool");
      const name = options.value.name ?? (known === null ? uuidIds("pool") : `pool_${known}`);
      const config = { ...options.value, name };
      const { env, tenant } = call;
      const answer = await poolObject(env, tenant, config).create(tenant, config);
      if (!answer.ok) return fromRejection(answer.rejection);
      const { pool, is_new } = answer.reply;
      // Again where it is there already: whoever made it may not have come so far.
      await insertPool(env.DB, tenant, { pool, config });
      return done(pool, is_new ? 201 : 200);
    },
  );

const addReads = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/pools",
      operation: "list_pools",
      summary: "List pools, the oldest first",
      query: poolQuery,
      reply: { status: 200, description: "A page", name: "PoolPage", schema: poolPageSchema },
    },
    async ({ query, call }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor, 2);
      if (query.cursor !== undefined && after === null) return invalid([CURSOR_ISSUE]);
      const rows = await listPools(call.env.DB, call.tenant, { query, after });
      return done(pageFrom(rows, query.limit, poolPosition));
    },
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/pools/{id}",
      operation: "get_pool",
      summary: "Look into a pool",
      query: newestQuery,
      reply: { status: 200, description: "The pool", name: "Pool", schema: poolSchema },
      problems: ["pool_not_found"],
    },
    async ({ params, query, call }) => {
      const pool = await found(call, params.id);
      if (!pool.ok) return pool.error;
      const answer = await pool.value().show(params.id, query.limit);
      return answer.ok ? done(answer.reply) : fromRejection(answer.rejection);
    },
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/pools/{id}/audit",
      operation: "get_pool_audit",
      summary: "Get what has happened to a pool and its newest tasks",
      query: newestQuery,
      reply: { status: 200, description: "The audit", name: "PoolAudit", schema: poolAuditSchema },
      problems: ["pool_not_found"],
    },
    async ({ params, query, call }) => {
      const pool = await found(call, params.id);
      if (!pool.ok) return pool.error;
      const answer = await pool.value().audit(params.id, query.limit);
      return answer.ok ? done({ topic: POOL_AUDIT_TOPIC, items: answer.reply }) : fromRejection(answer.rejection);
    },
  );
};

const task = { status: 200, description: "The task", name: "PoolTask", schema: poolTaskSchema } as const;

/** Why a pool does not take a task, with the option that is wrong with it (spec/workers 26.2). */
const notTaken = (rejection: Rejection): Problem =>
  rejection.code === "invalid_request" ? wrongOption(rejection.detail) : fromRejection(rejection);

const addTasks = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/pools/{id}/tasks",
      operation: "submit_task",
      summary: "Submit a task",
      description:
        "201 for a new task, also one that was rejected; 200 for the task of an earlier submit with the same key; 202 for a task that is `blocked`: it waits for a place in the queue, and gets it in its turn.",
      body: { name: "NewTask", schema: newTaskSchema },
      reply: { ...task, status: 201 },
      problems: [
        "pool_not_found",
        "pool_full",
        "pool_busy",
        "pool_draining",
        "idempotency_key_reused",
        "payload_too_large",
      ],
    },
    async ({ params, body, call }) => {
      const pool = await found(call, params.id);
      if (!pool.ok) return pool.error;
      const request = { options: body as JsonObject, request_key: idFor(call, "submit_task") };
      const answer = await pool.value().submit(params.id, request);
      if (!answer.ok) return notTaken(answer.rejection);
      const { task: submitted, is_new } = answer.reply;
      if (submitted.status === "blocked") return done(submitted, 202);
      return done(submitted, is_new ? 201 : 200);
    },
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/pools/{id}/tasks/{task_id}",
      operation: "get_task",
      summary: "Get a task",
      reply: task,
      problems: ["pool_not_found", "task_not_found"],
    },
    async ({ params, call }) => {
      const pool = await found(call, params.id);
      if (!pool.ok) return pool.error;
      const answer = await pool.value().tasks(params.id, [params.task_id]);
      if (!answer.ok) return fromRejection(answer.rejection);
      const [one] = answer.reply;
      return one === undefined ? problem("task_not_found", `task not found: ${params.task_id}`) : done(one);
    },
  );
};

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;
const MAX_WAITED = 100;

const isOver = ({ status }: TaskView): boolean =>
  status === "completed" || status === "failed" || status === "rejected";

/** Asks a pool again and again until all tasks are over or the time is: nothing waits within the object. */
const waitWithin = async (
  ask: () => ReturnType<PoolObject["tasks"]>,
  waitMs: number,
): ReturnType<PoolObject["tasks"]> => {
  const until = Date.now() + waitMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
    const answer = await ask();
    const left = until - Date.now();
    if (!answer.ok || answer.reply.every(isOver) || left <= 0) return answer;
    await scheduler.wait(Math.min(pause, left));
  }
};

const addWait = (router: Router): void =>
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/pools/{id}/wait",
      operation: "wait_for_tasks",
      summary: "Wait until tasks are over",
      description: "Answers with the tasks as they stand when all are over or the time is; `done` says which.",
      body: { name: "WaitTasks", schema: waitTasksSchema },
      reply: { status: 200, description: "The tasks", name: "WaitedTasks", schema: waitedTasksSchema },
      problems: ["pool_not_found", "task_not_found"],
    },
    async ({ params, body, call }) => {
      const ids = waitedTaskIds(body.tasks);
      if (!ids.ok) return invalid([{ path: "tasks", message: ids.error }], ids.error);
      if (ids.value.length > MAX_WAITED) return invalid([{ path: "tasks", message: `more than ${MAX_WAITED} tasks` }]);
      const pool = await found(call, params.id);
      if (!pool.ok) return pool.error;
      const answer = await waitWithin(() => pool.value().tasks(params.id, ids.value), body.timeout_ms);
      if (answer.ok) return done({ done: answer.reply.every(isOver), tasks: answer.reply });
      const { code, detail } = answer.rejection;
      return code === "task_not_found" ? problem(code, `pool_wait: ${detail}`) : fromRejection(answer.rejection);
    },
  );

const addRemove = (router: Router): void =>
  router.add(
    {
      ...shared,
      method: "delete",
      path: "/v1/pools/{id}",
      operation: "remove_pool",
      summary: "Remove a pool that has no open tasks",
      description:
        "A pool with open tasks takes no more of them from now on, and `removed` is false: ask again when they are over.",
      reply: { status: 200, description: "Whether it is removed", name: "RemovedPool", schema: removedPoolSchema },
      problems: ["pool_not_found"],
    },
    async ({ params, call }) => {
      const pool = await found(call, params.id);
      if (!pool.ok) return pool.error;
      const answer = await pool.value().remove(params.id);
      const { env, tenant } = call;
      // One that is gone from its object is to go from the list as well, whoever began with it.
      const isGone = answer.ok ? answer.reply.is_removed : answer.rejection.code === "pool_not_found";
      if (isGone) await deletePool(env.DB, tenant, params.id);
      if (!answer.ok) return fromRejection(answer.rejection);
      return done({ removed: answer.reply.is_removed, pool: answer.reply.pool });
    },
  );

/** Task pools: functions that run a few at a time (spec/workers 26). */
export const addPoolRoutes = (router: Router): void => {
  addCreate(router);
  addReads(router);
  addTasks(router);
  addWait(router);
  addRemove(router);
};
