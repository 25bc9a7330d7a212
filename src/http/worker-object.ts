import type { TakenCycle } from "../../durable-objects/agent-worker.ts";
import type { WebhookDelivery } from "../../durable-objects/projections/webhook-deliveries.ts";
import type { TakenWebhook } from "../../durable-objects/shell/webhook-watch.ts";
import type { UpdatePage } from "../../durable-objects/projections/worker-updates.ts";
import type { IdempotencyKey } from "../../durable-objects/shell/idempotency.ts";
import type { Answer } from "../engine/machine.ts";
import type { Awakening, AwakeningEvent } from "../engine/worker/awakening.ts";
import type { WorkerCommand, WorkerReply } from "../engine/worker/command.ts";
import type { WorkerSpan } from "../engine/worker/spans.ts";
import type { WorkerListener } from "../engine/worker/state.ts";
import type { Json, JsonObject } from "../lib/json.ts";
import type { Bindings } from "./call.ts";
import { problem, type Problem } from "./problem.ts";

/** What the API needs of a worker's object. */
export interface WorkerObject {
  readonly request: (command: WorkerCommand, key?: IdempotencyKey) => Promise<Answer<WorkerReply>>;
  readonly take: (command: WorkerCommand, key?: IdempotencyKey) => Promise<TakenCycle>;
  readonly summary: () => Promise<JsonObject | null>;
  readonly snapshot: () => Promise<JsonObject | null>;
  readonly updates: (after: number, limit: number) => Promise<UpdatePage | null>;
  readonly spans: () => Promise<readonly WorkerSpan[] | null>;
  readonly fetch: (input: string, init?: RequestInit) => Promise<Response>;
  readonly takeWebhook: () => Promise<TakenWebhook | null>;
  readonly reportWebhook: (report: WorkerCommand) => Promise<Answer<WorkerReply>>;
  readonly webhookDeliveries: () => Promise<readonly WebhookDelivery[] | null>;
  readonly children: () => Promise<readonly string[]>;
  readonly unsettled: () => Promise<Json>;
  readonly owedListeners: () => Promise<readonly WorkerListener[]>;
  readonly awaken: (event: AwakeningEvent, key: IdempotencyKey) => Promise<Awakening>;
}

/** A stub of a worker; ask again after every fault, a stub of a reset object stays broken. */
export const workerObject = (env: Pick<Bindings, "AGENT_WORKER">, tenant: string, workerId: string): WorkerObject =>
  env.AGENT_WORKER.getByName(`${tenant}/${workerId}`) as unknown as WorkerObject;

/** The refusal for a worker that the tenant does not have. */
export const workerNotFound = (workerId: string): Problem => problem("worker_not_found", `unknown worker: ${workerId}`);
