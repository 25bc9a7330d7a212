import { restoredWorker } from "../../engine/worker/restored-worker.ts";
import { snapshotPath } from "../../engine/worker/snapshot-path.ts";
import { suspensionTrigger } from "../worker-conditions.ts";
import type { Json } from "../../lib/json.ts";
import { uuidIds } from "../../ports/ids.ts";
import { id } from "../../schema/api.ts";
import {
  restoreWorkerSchema,
  type WorkerSummary,
  workerSnapshotSchema,
  type WorkerSnapshot,
  workerSummarySchema,
} from "../../schema/api-worker.ts";
import { decodeSnapshot, readSnapshot } from "../../schema/worker-snapshot.ts";
import { arrangeListening } from "../../queue/listen.ts";
import { keyOf } from "../idempotency.ts";
import { fromRejection, invalid } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { workerNotFound, workerObject } from "../worker-object.ts";

const shared = { tag: "Workers", access: "workers" } as const;

const WORKER_ID = /^[A-Za-z0-9_-]{1,128}$/;

/** What a snapshot names beside its worker. */
const REFERENCES = ["child_run_id", "parent_worker_id"] as const;

const reference = id.nullable();

const decoded = (snapshot: Json): ReturnType<typeof decodeSnapshot> =>
  typeof snapshot === "string" ? readSnapshot(snapshot) : decodeSnapshot(snapshot);

/** Snapshots of workers: exported as JSON, and restored here or in another deployment (spec/workers 12). */
export const addWorkerSnapshotRoutes = (router: Router): void => {
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/workers/{worker_id}/snapshot",
      operation: "get_worker_snapshot",
      summary: "Export a worker as a snapshot",
      reply: { status: 200, description: "The snapshot", name: "WorkerSnapshot", schema: workerSnapshotSchema },
      problems: ["worker_not_found"],
    },
    async ({ params, call }) => {
      const snapshot = await workerObject(call.env, call.tenant, params.worker_id).snapshot();
      return snapshot === null ? workerNotFound(params.worker_id) : done(snapshot as WorkerSnapshot);
    },
  );
  router.add(
    {
      ...shared,
      method: "post",
      path: "/v1/workers/restore",
      operation: "restore_worker",
      summary: "Restore a worker from a snapshot",
      description:
        "Under the id of the snapshot. Nothing runs: a worker that was running is `interrupted`, and goes on with an input. A worker that is there already is resumed where it is suspended; otherwise this is refused.",
      body: { name: "RestoreWorker", schema: restoreWorkerSchema },
      reply: { status: 200, description: "The worker", name: "Worker", schema: workerSummarySchema },
      problems: ["invalid_transition", "idempotency_key_reused"],
    },
    async ({ body, call }) => {
      const read = decoded(body.snapshot);
      if (!read.ok) return invalid([{ path: "snapshot", message: read.error }], read.error);
      const { tenant } = call;
      const worker = restoredWorker(
        read.value,
        { tenant, path: snapshotPath(String(read.value.source["id"] ?? "")) },
        { now: Date.now(), nextId: uuidIds },
      );
      if (!worker.ok) return invalid([{ path: "snapshot", message: worker.error }], worker.error);
      const { id: workerId, suspension } = worker.value;
      if (!WORKER_ID.test(workerId))
        return invalid([{ path: "snapshot.id", message: "must be the id of a worker: letters, digits, _ and -" }]);
      const misnamed = REFERENCES.filter((key) => !reference.safeParse(worker.value[key]).success);
      if (misnamed.length > 0)
        return invalid(misnamed.map((key) => ({ path: `snapshot.${key}`, message: "must be an id" })));
      const asleep = suspensionTrigger(call.env, suspension);
      if (asleep !== null) return asleep;
      const { input = null, continue_transcript } = body;
      const answer = await workerObject(call.env, tenant, workerId).request(
        { type: "restore", worker: worker.value, input, continue_transcript },
        keyOf(call, "restore_worker", body),
      );
      if (!answer.ok) return fromRejection(answer.rejection);
      await arrangeListening(call.env, { tenant, worker_id: workerId });
      return done(answer.reply.summary as WorkerSummary);
    },
  );
};
