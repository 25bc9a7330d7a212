import type * as z from "zod";
import type {
  ackJobSchema,
  claimedJobSchema,
  claimJobSchema,
  configureQueueSchema,
  failJobSchema,
  JobView,
  newJobSchema,
  purgedSchema,
  queueSchema,
  releaseJobSchema,
  renewClaimSchema,
} from "../../schema/api-queue.ts";
import { type CallOptions, type Out, type Query, segment, type Transport } from "./transport.ts";

/** Work queues: jobs for workers outside (spec/triggers 16). */
export class QueueCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  enqueue = (queue: string, body: z.input<typeof newJobSchema>, call: CallOptions = {}) =>
    this.#transport.send<JobView>("POST", `/v1/queues/${segment(queue)}/jobs`, { body, call });
  claim = (queue: string, body: z.input<typeof claimJobSchema>, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof claimedJobSchema>>("POST", `/v1/queues/${segment(queue)}/claim`, { body, call });
  renew = (queue: string, job: string, body: z.input<typeof renewClaimSchema>) => this.#tell(queue, job, "renew", body);
  release = (queue: string, job: string, body: z.input<typeof releaseJobSchema>) =>
    this.#tell(queue, job, "release", body);
  ack = (queue: string, job: string, body: z.input<typeof ackJobSchema>) => this.#tell(queue, job, "ack", body);
  fail = (queue: string, job: string, body: z.input<typeof failJobSchema>) => this.#tell(queue, job, "fail", body);
  get = (queue: string, query: Query = {}) =>
    this.#transport.send<Out<typeof queueSchema>>("GET", `/v1/queues/${segment(queue)}`, { query });
  configure = (queue: string, body: z.input<typeof configureQueueSchema>) =>
    this.#transport.send<Out<typeof queueSchema>>("PUT", `/v1/queues/${segment(queue)}`, { body });
  purge = (queue: string, reason?: string) =>
    this.#transport.send<Out<typeof purgedSchema>>("POST", `/v1/queues/${segment(queue)}/purge`, { body: { reason } });

  #tell(queue: string, job: string, verb: string, body: unknown) {
    return this.#transport.send<JobView>("POST", `/v1/queues/${segment(queue)}/jobs/${segment(job)}/${verb}`, { body });
  }
}
