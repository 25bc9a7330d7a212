import type * as z from "zod";
import type {
  cancelManySchema,
  discardManySchema,
  OperationView,
  replayManySchema,
  retryManySchema,
} from "../../schema/api-operation.ts";
import { type CallOptions, type Query, segment, type Transport } from "./transport.ts";

/** Operations on many events, or dead letters, at once (spec/triggers 22.6). */
export class OperationCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  replay = (body: z.input<typeof replayManySchema>, call: CallOptions = {}) =>
    this.#transport.send<OperationView>("POST", "/v1/events/replay", { body, call });
  cancel = (body: z.input<typeof cancelManySchema>, call: CallOptions = {}) =>
    this.#transport.send<OperationView>("POST", "/v1/events/cancel", { body, call });
  retry = (body: z.input<typeof retryManySchema> = {}, call: CallOptions = {}) =>
    this.#transport.send<OperationView>("POST", "/v1/dlq/retry", { body, call });
  discard = (body: z.input<typeof discardManySchema> = {}, call: CallOptions = {}) =>
    this.#transport.send<OperationView>("POST", "/v1/dlq/discard", { body, call });
  get = (operation: string, query: Query = {}) =>
    this.#transport.send<OperationView>("GET", `/v1/operations/${segment(operation)}`, { query });
}
