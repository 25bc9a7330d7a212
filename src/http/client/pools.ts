import type * as z from "zod";
import type {
  newPoolSchema,
  newTaskSchema,
  poolAuditSchema,
  PoolItem,
  poolSchema,
  poolTaskSchema,
  removedPoolSchema,
  waitedTasksSchema,
  waitTasksSchema,
} from "../../schema/api-pool.ts";
import { type CallOptions, type Out, type Page, type Query, segment, type Transport } from "./transport.ts";

const pathOf = (pool: string): string => `/v1/pools/${segment(pool)}`;

/** Task pools: functions that run a few at a time (spec/workers 26). */
export class PoolCalls {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create = (body: z.input<typeof newPoolSchema> = {}, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof poolSchema>>("POST", "/v1/pools", { body, call });
  list = (query: Query = {}) => this.#transport.send<Page<PoolItem>>("GET", "/v1/pools", { query });
  get = (pool: string, query: Query = {}) =>
    this.#transport.send<Out<typeof poolSchema>>("GET", pathOf(pool), { query });
  audit = (pool: string, query: Query = {}) =>
    this.#transport.send<Out<typeof poolAuditSchema>>("GET", `${pathOf(pool)}/audit`, { query });
  submit = (pool: string, body: z.input<typeof newTaskSchema>, call: CallOptions = {}) =>
    this.#transport.send<Out<typeof poolTaskSchema>>("POST", `${pathOf(pool)}/tasks`, { body, call });
  task = (pool: string, task: string) =>
    this.#transport.send<Out<typeof poolTaskSchema>>("GET", `${pathOf(pool)}/tasks/${segment(task)}`);
  wait = (pool: string, body: z.input<typeof waitTasksSchema>) =>
    this.#transport.send<Out<typeof waitedTasksSchema>>("POST", `${pathOf(pool)}/wait`, { body });
  remove = (pool: string) => this.#transport.send<Out<typeof removedPoolSchema>>("DELETE", pathOf(pool));
}
