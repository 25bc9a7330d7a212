import type { Answer, Context } from "../../src/engine/machine.ts";
import type { RunReply } from "../../src/engine/run/command.ts";
import type { WorkerCommand } from "../../src/engine/worker/command.ts";
import type { CycleFacts } from "../../src/engine/worker/cycle-result.ts";
import type { WebhookOrder } from "../../src/engine/worker/webhook.ts";
import { findTenantWebhook } from "../../src/ports/worker-webhook.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { uuidIds } from "../../src/ports/ids.ts";
import type { RunRequest } from "../workflow-run.ts";

/** What a worker needs of a run. */
export interface ToldRun {
  readonly request: (request: RunRequest) => Promise<Answer<RunReply>>;
}

/** What a run or another worker needs of a worker. */
export interface ToldWorker {
  readonly request: (command: WorkerCommand) => Promise<Answer<unknown>>;
  readonly cycleEnded: (cycle: number, facts: CycleFacts) => Promise<Answer<unknown>>;
}

/** What the effects that pass between runs and workers need of the world, for one tenant. */
export interface WorkerPorts {
  readonly run: (runId: string) => ToldRun;
  readonly worker: (workerId: string) => ToldWorker;
  /** Hints that the cycle of a worker is to be started: whoever gets it asks the worker what there is to start. */
  readonly orderCycle: (workerId: string) => Promise<void>;
  /** Hints that what wakes a worker is to be set up or taken away: whoever gets it asks the worker. */
  readonly orderListening: (workerId: string) => Promise<void>;
  /** Where the tenant wants the events of its workers; null for nowhere. */
  readonly webhook: () => Promise<WebhookOrder | null>;
  readonly index: (row: JsonObject, seq: number) => Promise<void>;
  readonly context: () => Context;
}

/** The objects and queues of the platform as a tenant's. */
export const workerPorts = (env: Env, tenant: string): WorkerPorts => ({
  run: (runId) => env.WORKFLOW_RUN.getByName(`${tenant}/${runId}`) as unknown as ToldRun,
  worker: (workerId) => env.AGENT_WORKER.getByName(`${tenant}/${workerId}`) as unknown as ToldWorker,
  orderCycle: async (worker_id) => void (await env.DRIVE_QUEUE.send({ v: 1, tenant, worker_id })),
  orderListening: async (worker_id) => void (await env.CONTROL_QUEUE.send({ v: 1, tenant, worker_id })),
  webhook: async () => {
    const found = await findTenantWebhook(env.DB, tenant);
    return found === null ? null : { target: "tenant", events: found.events };
  },
  index: async (worker, seq) => void (await env.INDEX_QUEUE.send({ v: 1, seq, tenant, worker })),
  context: () => ({ now: Date.now(), nextId: uuidIds }),
});
