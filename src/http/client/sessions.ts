import type * as z from "zod";
import type {
  compactSessionSchema,
  forkSessionAtSchema,
  injectMessageSchema,
  sessionListSchema,
  sessionReplySchema,
  sessionSnapshotSchema,
} from "../../schema/api-session.ts";
import { type CallOptions, type Out, type Query, segment, type Transport } from "./transport.ts";

type Reply = Out<typeof sessionReplySchema>;

/** Which session of which run. */
interface SessionAddress {
  readonly run_id: string;
  readonly session_id: string;
}

const path = (run: string): string => `/v1/runs/${segment(run)}/sessions`;

/** The conversations of a run (spec/workflow 14.3). */
export class SessionCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list = (run: string) => this.#transport.send<Out<typeof sessionListSchema>>("GET", path(run));
  get = ({ run_id: run, session_id: id }: SessionAddress, query: Query = {}) =>
    this.#transport.send<Out<typeof sessionSnapshotSchema>>("GET", `${path(run)}/${segment(id)}`, { query });
  open = (run: string, sessionId?: string, call: CallOptions = {}) =>
    this.#transport.send<Reply>("POST", path(run), { body: { session_id: sessionId }, call });
  reset = (session: SessionAddress, call: CallOptions = {}) => this.#change(session, "reset", { call });
  close = (session: SessionAddress, call: CallOptions = {}) => this.#change(session, "close", { call });
  fork = (session: SessionAddress, targetId?: string, call: CallOptions = {}) =>
    this.#change(session, "fork", { body: { target_id: targetId }, call });
  forkAt = (session: SessionAddress, body: z.input<typeof forkSessionAtSchema>, call: CallOptions = {}) =>
    this.#change(session, "fork_at", { body, call });
  trim = (session: SessionAddress, keepLast: number, call: CallOptions = {}) =>
    this.#change(session, "trim", { body: { keep_last: keepLast }, call });
  inject = (session: SessionAddress, body: z.input<typeof injectMessageSchema>, call: CallOptions = {}) =>
    this.#change(session, "inject", { body, call });
  compact = (session: SessionAddress, body: z.input<typeof compactSessionSchema> = {}, call: CallOptions = {}) =>
    this.#change(session, "compact", { body, call });

  #change(
    { run_id: run, session_id: id }: SessionAddress,
    verb: string,
    more: { readonly body?: unknown; readonly call: CallOptions },
  ) {
    return this.#transport.send<Reply>("POST", `${path(run)}/${segment(id)}/${verb}`, more);
  }
}
