import type * as z from "zod";
import type { JsonObject } from "../../lib/json.ts";
import type { publishedEventSchema } from "../../schema/api-channel.ts";
import type { suspendAllSchema, suspendedAllSchema } from "../../schema/api-suspend-all.ts";
import type {
  resumeWorkerSchema,
  restoreWorkerSchema,
  stoppedWorkerSchema,
  stopWorkerSchema,
  suspendWorkerSchema,
  waitedWorkerSchema,
  waitWorkerSchema,
  workerEventPageSchema,
  WorkerSnapshot,
  WorkerSummary,
  workerPageSchema,
  workerSpansSchema,
} from "../../schema/api-worker.ts";
import type {
  putWorkerWebhookSchema,
  webhookDeliveriesSchema,
  workerWebhookSchema,
} from "../../schema/worker-webhook.ts";
import { type CallOptions, type Out, type Query, segment, type Transport } from "./transport.ts";

/** Delegated workers (spec/workers 1 to 17). */
export class WorkerCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  spawn = (config: JsonObject, call: CallOptions = {}) =>
    this.#transport.send<WorkerSummary>("POST", "/v1/workers", { body: config, call });
  list = (query: Query = {}) => this.#transport.send<Out<typeof workerPageSchema>>("GET", "/v1/workers", { query });
  get = (id: string) => this.#transport.send<WorkerSummary>("GET", `/v1/workers/${segment(id)}`);
  events = (id: string, query: Query = {}) =>
    this.#transport.send<Out<typeof workerEventPageSchema>>("GET", `/v1/workers/${segment(id)}/events`, { query });
  spans = (id: string) =>
    this.#transport.send<Out<typeof workerSpansSchema>>("GET", `/v1/workers/${segment(id)}/spans`);
  putWebhook = (body: z.input<typeof putWorkerWebhookSchema>) =>
    this.#transport.send<Out<typeof workerWebhookSchema>>("PUT", "/v1/worker_webhook", { body });
  getWebhook = () => this.#transport.send<Out<typeof workerWebhookSchema>>("GET", "/v1/worker_webhook");
  deleteWebhook = () => this.#transport.send<undefined>("DELETE", "/v1/worker_webhook");
  webhookDeliveries = (id: string) =>
    this.#transport.send<Out<typeof webhookDeliveriesSchema>>("GET", `/v1/workers/${segment(id)}/webhook_deliveries`);
  wait = (id: string, body: z.input<typeof waitWorkerSchema> = {}) =>
    this.#transport.send<Out<typeof waitedWorkerSchema>>("POST", `/v1/workers/${segment(id)}/wait`, { body });
  input = (id: string, text: string, call: CallOptions = {}) => this.#tell(id, "input", { text }, call);
  trigger = (id: string, payload: unknown, call: CallOptions = {}) => this.#tell(id, "trigger", { payload }, call);
  suspend = (id: string, body: z.input<typeof suspendWorkerSchema> = {}, call: CallOptions = {}) =>
    this.#tell(id, "suspend", body, call);
  resume = (id: string, body: z.input<typeof resumeWorkerSchema> = {}, call: CallOptions = {}) =>
    this.#tell(id, "resume", body, call);
  close = (id: string, call: CallOptions = {}) => this.#tell(id, "close", {}, call);
  stop = (id: string, body: z.input<typeof stopWorkerSchema> = {}, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof stoppedWorkerSchema>>("POST", `/v1/workers/${segment(id)}/stop`, { body, call });
  snapshot = (id: string) => this.#transport.send<WorkerSnapshot>("GET", `/v1/workers/${segment(id)}/snapshot`);
  restore = (body: z.input<typeof restoreWorkerSchema>, call: CallOptions = {}) =>
    this.#transport.send<WorkerSummary>("POST", "/v1/workers/restore", { body, call });
  suspendAll = (body: z.input<typeof suspendAllSchema> = {}) =>
    this.#transport.send<Out<typeof suspendedAllSchema>>("POST", "/v1/workers/suspend_all", { body });
  /** Publishes an event on a channel, for the workers that listen on it. */
  publish = (channel: string, payload: unknown, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof publishedEventSchema>>("POST", `/v1/channels/${segment(channel)}/events`, {
      body: { payload },
      call,
    });

  #tell(id: string, verb: string, body: unknown, call: CallOptions) {
    return this.#transport.send<WorkerSummary>("POST", `/v1/workers/${segment(id)}/${verb}`, { body, call });
  }
}
