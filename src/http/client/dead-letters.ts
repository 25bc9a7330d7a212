import type * as z from "zod";
import type {
  deadLetterFixtureSchema,
  deadLetterPageSchema,
  DeadLetterView,
  discardDeadLetterSchema,
  retryDeadLetterSchema,
} from "../../schema/api-dlq.ts";
import type { replayMadeSchema } from "../../schema/api-event-control.ts";
import { type CallOptions, type Out, type Query, segment, type Transport } from "./transport.ts";

/** Events that could not be handled (spec/triggers 12.6, 12.7). */
export class DeadLetterCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list = (query: Query = {}) => this.#transport.send<Out<typeof deadLetterPageSchema>>("GET", "/v1/dlq", { query });
  get = (id: string) => this.#transport.send<DeadLetterView>("GET", `/v1/dlq/${segment(id)}`);
  /** The dead letter as a document for export. */
  export = (id: string) =>
    this.#transport.send<Out<typeof deadLetterFixtureSchema>>("GET", `/v1/dlq/${segment(id)}`, {
      query: { format: "fixture" },
    });
  retry = (id: string, body: z.input<typeof retryDeadLetterSchema> = {}, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof replayMadeSchema>>("POST", `/v1/dlq/${segment(id)}/retry`, { body, call });
  discard = (id: string, body: z.input<typeof discardDeadLetterSchema> = {}, call: CallOptions = {}) =>
    this.#transport.send<DeadLetterView>("POST", `/v1/dlq/${segment(id)}/discard`, { body, call });
}
