import {
  spawnWorkerSchema,
  waitedWorkerSchema,
  waitWorkerSchema,
  workerPageSchema,
  workerQuery,
  workerSpansSchema,
  workerSummarySchema,
} from "../../schema/api-worker.ts";
import { arrangeListening } from "../../queue/listen.ts";
import { startCycleAfterRequest } from "../../queue/start-cycle.ts";
import type { WorkerSummary } from "../../schema/api-worker.ts";
import { newWorker } from "../new-worker.ts";
import { CURSOR_ISSUE, decodeCursor, pageFrom } from "../page.ts";
import { fromRejection, invalid } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { workerNotFound, workerObject } from "../worker-object.ts";
import { listWorkers, workerPosition } from "../worker-rows.ts";
import { waitForWorker } from "../worker-wait.ts";

const shared = { tag: "Workers", access: "workers" } as const;

const SPAWN_WAIT_MS = 55_000;

const addSpawn = (router: Router): void =>
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/workers",
      operation: "spawn_worker",
      summary: "Spawn a worker",
      description:
        "The worker begins at once. With `wait` the answer is held back until it has ended, at most 55 seconds; then it shows the worker as it is.",
      body: { name: "SpawnWorker", schema: spawnWorkerSchema },
      reply: { status: 201, description: "The worker", name: "Worker", schema: workerSummarySchema },
      problems: ["worker_not_found", "graph_invalid", "policy_exceeds_ceiling", "worker_already_exists"],
    },
    async ({ body, call }) => {
      const asked = await newWorker(call, body);
      if (!asked.ok) return asked.error;
      const { command, wait, parent_worker_id: parent } = asked.value;
      const { tenant } = call;
      const { worker_id } = command;
      const { answer, ordered } = await workerObject(call.env, tenant, worker_id).take(command);
      if (!answer.ok) return fromRejection(answer.rejection);
      if (parent !== null) await workerObject(call.env, tenant, parent).request({ type: "adopt_child", worker_id });
      if (command.resume_when !== undefined) {
        await arrangeListening(call.env, { tenant, worker_id });
        const parked = await workerObject(call.env, tenant, worker_id).summary();
        return done((parked ?? answer.reply.summary) as WorkerSummary, 201);
      }
      if (ordered !== null) call.waitUntil(startCycleAfterRequest(call.env, { tenant, worker_id }, ordered));
      if (!wait) return done(answer.reply.summary as WorkerSummary, 201);
      const waited = await waitForWorker(call, worker_id, { until: "settled", timeout_ms: SPAWN_WAIT_MS });
      return done((waited?.worker ?? answer.reply.summary) as WorkerSummary, 201);
    },
  );

const addReads = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/workers",
      operation: "list_workers",
      summary: "List workers, newest first",
      description: "The list may lag a second behind the workers themselves.",
      query: workerQuery,
      reply: { status: 200, description: "A page", name: "WorkerPage", schema: workerPageSchema },
    },
    async ({ query, call }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor, 2);
      if (after === null && query.cursor !== undefined) return invalid([CURSOR_ISSUE]);
      const rows = await listWorkers(call.env.DB, call.tenant, query, after);
      return done(pageFrom(rows, query.limit, workerPosition));
    },
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/workers/{worker_id}",
      operation: "get_worker",
      summary: "Read a worker",
      reply: { status: 200, description: "The worker", name: "Worker", schema: workerSummarySchema },
      problems: ["worker_not_found"],
    },
    async ({ params, call }) => {
      const worker = await workerObject(call.env, call.tenant, params.worker_id).summary();
      return worker === null ? workerNotFound(params.worker_id) : done(worker as WorkerSummary);
    },
  );
};

const addSpans = (router: Router): void =>
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/workers/{worker_id}/spans",
      operation: "list_worker_spans",
      summary: "List the spans of a worker's suspensions and resumptions, with their links",
      description: "Ids are those of W3C trace context. What a worker was told is never in them.",
      reply: { status: 200, description: "The spans", name: "WorkerSpans", schema: workerSpansSchema },
      problems: ["worker_not_found"],
    },
    async ({ params, call }) => {
      const items = await workerObject(call.env, call.tenant, params.worker_id).spans();
      return items === null ? workerNotFound(params.worker_id) : done({ items });
    },
  );

const addWait = (router: Router): void =>
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/workers/{worker_id}/wait",
      operation: "wait_for_worker",
      summary: "Wait for a worker",
      description:
        "Answers when the worker is neither running nor awaiting, or when the time is over: then `timed_out` is true, and you ask again.",
      body: { name: "WaitForWorker", schema: waitWorkerSchema, optional: true },
      reply: { status: 200, description: "The worker", name: "WaitedWorker", schema: waitedWorkerSchema },
      problems: ["worker_not_found"],
    },
    async ({ params, body, call }) => {
      const waited = await waitForWorker(call, params.worker_id, body);
      if (waited === null) return workerNotFound(params.worker_id);
      return done({ ...waited, worker: waited.worker as WorkerSummary });
    },
  );

/** Workers: spawning, reading and waiting for them (spec/workers 1, 2, 8). */
export const addWorkerRoutes = (router: Router): void => {
  addSpawn(router);
  addReads(router);
  addSpans(router);
  addWait(router);
};
