import type * as z from "zod";
import type {
  approvalLinkSchema,
  approvalPageSchema,
  ApprovalView,
  newLinkSchema,
  respondSchema,
} from "../../schema/api-approval.ts";
import { type CallOptions, type Out, type Query, segment, type Transport } from "./transport.ts";

/** What people are asked, and their answers (spec/workers 24). */
export class ApprovalCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list = (query: Query = {}) => this.#transport.send<Out<typeof approvalPageSchema>>("GET", "/v1/approvals", { query });
  get = (request: string) => this.#transport.send<ApprovalView>("GET", `/v1/approvals/${segment(request)}`);
  /** To a request of a run; an event is answered with `triggerEvents.respond`. */
  respond = (request: string, body: z.input<typeof respondSchema>, call: CallOptions = {}) =>
    this.#transport.send<ApprovalView>("POST", `/v1/approvals/${segment(request)}/respond`, { body, call });
  link = (request: string, body: z.input<typeof newLinkSchema>, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof approvalLinkSchema>>("POST", `/v1/approvals/${segment(request)}/links`, {
      body,
      call,
    });
}
