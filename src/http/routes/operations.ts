import { compileBulkFilter } from "../../engine/trigger/predicate/bulk-filter.ts";
import { rfc3339 } from "../../lib/time.ts";
import { uuidIds } from "../../ports/ids.ts";
import { sendOperation, workOn } from "../../queue/operations.ts";
import {
  cancelManySchema,
  discardManySchema,
  type OperationKind,
  operationQuery,
  type OperationRequest,
  type OperationView,
  operationViewSchema,
  replayManySchema,
  retryManySchema,
} from "../../schema/api-operation.ts";
import type { Call } from "../call.ts";
import { claimOnce } from "../idempotency.ts";
import { beginOperation, findOperation, listItems, type Operation } from "../operation-rows.ts";
import { operationDelay } from "../operation-work.ts";
import { CURSOR_ISSUE, decodeCursor, encodeCursor } from "../page.ts";
import { invalid, problem } from "../problem.ts";
import { done, type Outcome, type Router } from "../router.ts";

/** Pages that are done before the answer; the rest is left to the queue. */
const PAGES_AT_ONCE = 2;

/** Items in the answer that begins an operation. */
const FIRST_ITEMS = 200;

/** Dead letters that are tried again in a second (spec/triggers 12.7). */
const RETRIES_PER_SECOND = 2;

const viewOf = async (
  call: Call,
  operation: Operation,
  page: { readonly from: number; readonly limit: number },
): Promise<OperationView> => {
  const { operation_id, kind, state, request, created_at, updated_at, matched, executed, skipped } = operation;
  const items = await listItems(call.env.DB, operation, page);
  const next = page.from + items.length;
  return {
    operation_id,
    audit_id: operation_id,
    operation: kind,
    state,
    dry_run: request.dry_run,
    filter: request.where,
    rate_per_second: request.rate_per_second ?? null,
    requested_by: request.requested_by ?? null,
    requested_at: created_at,
    updated_at,
    matched_count: matched,
    executed_count: executed,
    requested_count: executed,
    skipped_count: skipped,
    items,
    next_cursor: next < matched && items.length > 0 ? encodeCursor([String(next)]) : null,
  };
};

/** Begins an operation and does what is done at once; the same request again goes on with the same operation. */
const operated = async (
  call: Call,
  { kind, request, path }: { readonly kind: OperationKind; readonly request: OperationRequest; readonly path: string },
): Promise<Outcome<OperationView>> => {
  const { env, tenant } = call;
  const filter = request.where === null ? null : compileBulkFilter(request.where);
  if (filter?.ok === false) return invalid([{ path, message: filter.error }]);
  const names = { operation_id: uuidIds("trigger_audit") };
  const claimed = await claimOnce(call, `operation_${kind}`, request, names);
  if (!claimed.ok) return claimed.error;
  const { operation_id } = claimed.value;
  await beginOperation(env.DB, { tenant, operation_id, kind, request, created_at: rfc3339(Date.now()) });
  const begun = await findOperation(env.DB, tenant, operation_id);
  if (begun === null) return problem("internal_error", "the operation was not kept");
  const operation = await workOn(env, begun, PAGES_AT_ONCE);
  const isRunning = operation.state === "running";
  if (isRunning) await sendOperation(env, operation, operationDelay(operation, Date.now()));
  return done(await viewOf(call, operation, { from: 0, limit: FIRST_ITEMS }), isRunning ? 202 : 200);
};

const reply = { status: 200, description: "What was done", name: "Operation", schema: operationViewSchema } as const;

const LATER =
  "Few are done before the answer; where there are more it is 202, and `GET /v1/operations/{operation_id}` shows how far it has come.";

const events = {
  method: "post",
  tag: "Events",
  access: "triggers",
  reply,
  problems: ["idempotency_key_reused"],
} as const;

const addEvents = (router: Router): void => {
  router.add(
    {
      ...events,
      path: "/v1/events/replay",
      operation: "replay_events",
      summary: "Have many events handled again",
      description: `Those that a filter takes, each as its own replay; with \`rate_per_second\` one after another. ${LATER}`,
      body: { name: "ReplayMany", schema: replayManySchema },
    },
    ({ body, call }) => operated(call, { kind: "replay", request: body, path: "where" }),
  );
  router.add(
    {
      ...events,
      path: "/v1/events/cancel",
      operation: "cancel_events",
      summary: "Stop the dispatch of many events",
      description: `Those that a filter takes; what is over is left as it is. ${LATER}`,
      body: { name: "CancelMany", schema: cancelManySchema },
    },
    ({ body, call }) => operated(call, { kind: "cancel", request: body, path: "where" }),
  );
};

const addLetters = (router: Router): void => {
  const letters = { ...events, tag: "Dead letters" } as const;
  router.add(
    {
      ...letters,
      path: "/v1/dlq/retry",
      operation: "retry_dead_letters",
      summary: "Try many dead letters again",
      description: `Pending ones, ${RETRIES_PER_SECOND} a second unless \`rate_per_second\` says otherwise. ${LATER}`,
      body: { name: "RetryMany", schema: retryManySchema, optional: true },
    },
    ({ body: { filter: where = null, rate_per_second = RETRIES_PER_SECOND, ...body }, call }) =>
      operated(call, { kind: "dlq_retry", request: { ...body, where, rate_per_second }, path: "filter" }),
  );
  router.add(
    {
      ...letters,
      path: "/v1/dlq/discard",
      operation: "discard_dead_letters",
      summary: "Take many dead letters off the list",
      description: `Pending ones. ${LATER}`,
      body: { name: "DiscardMany", schema: discardManySchema },
    },
    ({ body: { filter: where = null, ...body }, call }) =>
      operated(call, { kind: "dlq_discard", request: { ...body, where }, path: "filter" }),
  );
};

const addRead = (router: Router): void => {
  router.add(
    {
      method: "get",
      tag: "Events",
      access: "triggers",
      path: "/v1/operations/{operation_id}",
      operation: "get_operation",
      summary: "Get how far an operation on many events has come, and what it did",
      query: operationQuery,
      reply,
      problems: ["operation_not_found"],
    },
    async ({ params, query, call }) => {
      const { operation_id: id } = params;
      const from = query.cursor === undefined ? "0" : (decodeCursor(query.cursor, 1)?.[0] ?? "");
      if (!/^\d{1,9}$/.test(from)) return invalid([CURSOR_ISSUE]);
      const operation = await findOperation(call.env.DB, call.tenant, id);
      if (operation === null) return problem("operation_not_found", `there is no operation ${id}`);
      return done(await viewOf(call, operation, { from: Number(from), limit: query.limit }));
    },
  );
};

/** Operations on many events, and on many dead letters (spec/triggers 12.7, 22.6). */
export const addOperationRoutes = (router: Router): void => {
  addEvents(router);
  addLetters(router);
  addRead(router);
};
