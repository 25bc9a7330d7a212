import type * as z from "zod";
import type {
  enqueuedSchema,
  mailboxStatusSchema,
  publishQuerySchema,
  queryViewSchema,
  receivedSchema,
  respondSchema,
  signalSchema,
  updateSchema,
  updateViewSchema,
} from "../../schema/api-mailbox.ts";
import { type CallOptions, type Out, segment, type Transport } from "./transport.ts";

type Status = Out<typeof mailboxStatusSchema>;

const path = (workflow: string, rest: string): string => `/v1/mailboxes/${segment(workflow)}/${rest}`;

/** Mailboxes: messages to a workflow and values from it (spec/workflow 13). */
export class MailboxCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  signal = (workflow: string, body: z.input<typeof signalSchema>, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof enqueuedSchema>>("POST", path(workflow, "signal"), { body, call });
  receive = (workflow: string, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof receivedSchema>>("POST", path(workflow, "receive"), { call });
  update = (workflow: string, body: z.input<typeof updateSchema>, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof updateViewSchema>>("POST", path(workflow, "update"), { body, call });
  getUpdate = (workflow: string, request: string) =>
    this.#transport.send<Out<typeof updateViewSchema>>("GET", path(workflow, `updates/${segment(request)}`));
  respond = (workflow: string, body: z.input<typeof respondSchema>, call: CallOptions = {}) =>
    this.#transport.send<Status>("POST", path(workflow, "respond"), { body, call });
  pause = (workflow: string, call: CallOptions = {}) =>
    this.#transport.send<Status>("POST", path(workflow, "pause"), { call });
  resume = (workflow: string, call: CallOptions = {}) =>
    this.#transport.send<Status>("POST", path(workflow, "resume"), { call });
  continueAsNew = (workflow: string, call: CallOptions = {}) =>
    this.#transport.send<Status>("POST", path(workflow, "continue_as_new"), { call });
  status = (workflow: string) => this.#transport.send<Status>("GET", path(workflow, "status"));
  getQuery = (workflow: string, name: string) =>
    this.#transport.send<Out<typeof queryViewSchema>>("GET", path(workflow, `queries/${segment(name)}`));
  publishQuery = (workflow: string, name: string, body: z.input<typeof publishQuerySchema>) =>
    this.#transport.send<Status>("PUT", path(workflow, `queries/${segment(name)}`), { body });
}
