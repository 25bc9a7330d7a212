import type * as z from "zod";
import type {
  acknowledgeHandoffSchema,
  acknowledgeTriggerSchema,
  auditPageSchema,
  auditReceiptSchema,
  dispositionReceiptSchema,
  dispositionSchema,
  emitAuditSchema,
  handoffAcknowledgedSchema,
  handOffSchema,
  handoffPageSchema,
  handoffReceiptSchema,
  onFinishReceiptSchema,
  onFinishSchema,
  settleReceiptSchema,
  settleSchema,
  triggerReceiptSchema,
  unsettledSchema,
} from "../../schema/api-finish.ts";
import { type CallOptions, type Out, type Query, segment, type Transport } from "./transport.ts";

/** Which handoff of which run. */
interface HandoffAddress {
  readonly run_id: string;
  readonly envelope_id: string;
}

const path = (run: string, part: string): string => `/v1/runs/${segment(run)}/${part}`;

/** What a run leaves behind (spec/workers 21). */
export class FinishCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  unsettled = (run: string) => this.#transport.send<Out<typeof unsettledSchema>>("GET", path(run, "unsettled"));
  handoffs = (run: string) => this.#transport.send<Out<typeof handoffPageSchema>>("GET", path(run, "handoffs"));
  audit = (run: string, query: Query = {}) =>
    this.#transport.send<Out<typeof auditPageSchema>>("GET", path(run, "audit"), { query });
  emitAudit = (run: string, body: z.input<typeof emitAuditSchema>, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof auditReceiptSchema>>("POST", path(run, "audit"), { body, call });
  handOff = (run: string, body: z.input<typeof handOffSchema>, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof handoffReceiptSchema>>("POST", path(run, "handoffs"), { body, call });
  acknowledgeHandoff = (
    { run_id: run, envelope_id: id }: HandoffAddress,
    body: z.input<typeof acknowledgeHandoffSchema> = {},
    call: CallOptions = {},
  ) => {
    const part = `handoffs/${segment(id)}/acknowledge`;
    return this.#transport.send<Out<typeof handoffAcknowledgedSchema>>("POST", path(run, part), { body, call });
  };
  setDisposition = (run: string, body: z.input<typeof dispositionSchema>, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof dispositionReceiptSchema>>("POST", path(run, "disposition"), { body, call });
  setOnFinish = (run: string, body: z.input<typeof onFinishSchema>, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof onFinishReceiptSchema>>("PUT", path(run, "on_finish"), { body, call });
  acknowledgeTrigger = (run: string, body: z.input<typeof acknowledgeTriggerSchema>, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof triggerReceiptSchema>>("POST", path(run, "unsettled/acknowledge"), { body, call });
  settle = (run: string, body: z.input<typeof settleSchema> = {}, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof settleReceiptSchema>>("POST", path(run, "settle"), { body, call });
}
