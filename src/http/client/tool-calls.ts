import type * as z from "zod";
import type { respondToolCallSchema, toolCallSchema } from "../../schema/api-tool-call.ts";
import type { runControlSchema } from "../../schema/api-run.ts";
import { type CallOptions, type Out, type Page, type Query, segment, type Transport } from "./transport.ts";

/** Tool calls of agent stages: what was called, and answers to what waits. */
export class ToolCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list = (run: string, query: Query = {}) =>
    this.#transport.send<Page<Out<typeof toolCallSchema>>>("GET", `/v1/runs/${segment(run)}/tool_calls`, { query });
  respond = (
    { run_id: run, call_id: id }: { readonly run_id: string; readonly call_id: string },
    body: z.input<typeof respondToolCallSchema>,
    call: CallOptions = {},
  ) =>
    this.#transport.send<Out<typeof runControlSchema>>(
      "POST",
      `/v1/runs/${segment(run)}/tool_calls/${segment(id)}/respond`,
      { body, call },
    );
}
