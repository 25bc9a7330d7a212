import type { Answer } from "../engine/machine.ts";
import { bulkRecord, bulkStanding } from "../engine/trigger/bulk-record.ts";
import { compileBulkFilter, matchesBulkFilter } from "../engine/trigger/predicate/bulk-filter.ts";
import { rfc3339 } from "../lib/time.ts";
import type { OperationItem } from "../schema/api-operation.ts";
import type { EventView } from "../schema/trigger-event.ts";
import type { Bindings } from "./call.ts";
import { carriedOut } from "./carry-out.ts";
import { eventViews, mapFew } from "./event-views.ts";
import { type Candidate, nextCandidates, type Operation, storeProgress } from "./operation-rows.ts";
import { triggerObject } from "./trigger-object.ts";

/** Events that are looked at together. */
const PAGE = 50;

interface Matching {
  readonly candidate: Candidate;
  readonly view: EventView;
  /** Counts what an operation takes, from 0. */
  readonly position: number;
}

const isReplay = ({ kind }: Pick<Operation, "kind">): boolean => kind === "replay" || kind === "dlq_retry";

/**
 * How many an operation may take now. Replays are paced by the time before which each is not dispatched, which its trigger
 * keeps; everything else by what is taken when.
 */
const allowance = (operation: Operation, now: number): number => {
  const { rate_per_second: rate, limit = Infinity, dry_run } = operation.request;
  const left = limit - operation.matched;
  if (rate === undefined || dry_run || isReplay(operation)) return left;
  const due = Math.floor(((now - Date.parse(operation.created_at)) * rate) / 1000) + 1 - operation.matched;
  return Math.min(left, Math.max(due, 0));
};

/** How long an operation has to wait for its next one; 0 when it may go on. */
export const operationDelay = (operation: Operation, now: number): number => {
  const { rate_per_second: rate } = operation.request;
  if (rate === undefined || allowance(operation, now) > 0) return 0;
  return Math.max(0, Date.parse(operation.created_at) + Math.ceil((operation.matched * 1000) / rate) - now);
};

const notBefore = (operation: Operation, position: number): number | null => {
  const { rate_per_second: rate } = operation.request;
  return rate === undefined ? null : Date.parse(operation.created_at) + Math.floor((position * 1000) / rate);
};

const failure = (answer: Answer<unknown>): Pick<OperationItem, "status" | "error"> | null =>
  answer.ok ? null : { status: "failed", error: answer.rejection.detail };

const replayed = async (env: Bindings, operation: Operation, one: Matching) => {
  const { request, operation_id: request_id, tenant, kind } = operation;
  const { candidate, position } = one;
  const { version, as_of, requested_by = null } = request;
  const dlq_id = kind === "dlq_retry" ? candidate.dlq_id : null;
  const ask = { version, as_of, requested_by, dlq_id, request_id, not_before: notBefore(operation, position) };
  const address = { key: candidate.dedupe_key, event_id: candidate.event_id };
  const made = await triggerObject(env, tenant, candidate.trigger_id, candidate.shard).replay(address, ask);
  return made.ok ? { status: "requested" as const, replay: made.reply.number } : failure(made);
};

const cancelled = async (env: Bindings, operation: Operation, { candidate, view }: Matching) => {
  const { request, operation_id: audit_id, tenant } = operation;
  // Done before, by whoever did not get as far as writing it down.
  if (view.cancel?.audit_id === audit_id) return { status: "requested" as const, cancellable: true };
  if (!bulkStanding(view).cancellable) return { status: "not_cancellable" as const };
  const { requested_by = null, reason } = request;
  const by = { requested_by, audit_id, ...(reason === undefined ? {} : { reason }) };
  const answer = await triggerObject(env, tenant, candidate.trigger_id, candidate.shard).cancel(
    candidate.dedupe_key,
    by,
  );
  if (!answer.ok) return { status: "not_cancellable" as const, cancellable: false };
  await carriedOut({ env, tenant }, answer.reply);
  return { status: "requested" as const };
};

const discarded = async (env: Bindings, operation: Operation, { candidate }: Matching) => {
  const { request, tenant } = operation;
  const why = request.reason === undefined ? {} : { reason: request.reason };
  const object = triggerObject(env, tenant, candidate.trigger_id, candidate.shard);
  const answer = await object.discard(candidate.dedupe_key, candidate.dlq_id ?? "", why);
  if (!answer.ok) return failure(answer);
  await carriedOut({ env, tenant }, answer.reply);
  return { status: "requested" as const };
};

const done = async (env: Bindings, operation: Operation, one: Matching) => {
  if (operation.request.dry_run) return { status: "dry_run" as const };
  if (isReplay(operation)) return replayed(env, operation, one);
  return operation.kind === "cancel" ? cancelled(env, operation, one) : discarded(env, operation, one);
};

const itemOf = async (env: Bindings, operation: Operation, one: Matching): Promise<OperationItem> => {
  const { view, candidate } = one;
  const { event_id, trigger_id: binding_id, binding_version } = view;
  const { status: latest_status, cancellable } = bulkStanding(view);
  return {
    event_id,
    binding_id,
    binding_version,
    binding_key: `${binding_id}@v${binding_version}`,
    latest_status,
    status: "requested",
    ...(operation.kind === "cancel" ? { cancellable } : {}),
    ...(candidate.dlq_id === null ? {} : { dlq_id: candidate.dlq_id }),
    ...(await done(env, operation, one)),
  };
};

const isPending = (candidate: Candidate, view: EventView): boolean =>
  candidate.dlq_id === null || (view.dead_letter?.id === candidate.dlq_id && view.dead_letter.state === "pending");

/** Which of some events an operation takes, and up to which it has looked. */
const taken = (operation: Operation, seen: readonly (readonly [Candidate, EventView | null])[], allowed: number) => {
  const { where } = operation.request;
  const filter = where === null ? null : compileBulkFilter(where);
  const matching: Matching[] = [];
  let cursor = operation.cursor;
  for (const [candidate, view] of seen) {
    if (matching.length >= allowed) return { matching, cursor, isWhole: false };
    cursor = candidate.cursor;
    if (view === null || !isPending(candidate, view)) continue;
    // What this operation has cancelled before a crash does not look as it did, and is its own all the same.
    const isDone = view.cancel?.audit_id === operation.operation_id;
    if (!isDone && filter !== null && !(filter.ok && matchesBulkFilter(filter.value, bulkRecord(view)))) continue;
    matching.push({ candidate, view, position: operation.matched + matching.length });
  }
  return { matching, cursor, isWhole: true };
};

/**
 * Brings an operation a page further (spec/triggers 22.6). Whoever does it may die anywhere: the page is done again then,
 * and every event takes the same request for the same one.
 */
export const workPage = async (env: Bindings, operation: Operation, now: number): Promise<Operation> => {
  const allowed = allowance(operation, now);
  const { limit = Infinity, dry_run: isDry } = operation.request;
  const candidates = allowed > 0 ? await nextCandidates(env.DB, operation, PAGE) : [];
  const views = await eventViews({ env, tenant: operation.tenant }, candidates);
  const pairs = candidates.map((candidate, index) => [candidate, views[index] ?? null] as const);
  const { matching, cursor, isWhole } = taken(operation, pairs, allowed);
  const items = await mapFew(matching, (one) => itemOf(env, operation, one));
  const executed = items.filter(({ status }) => status === "requested").length;
  const matched = operation.matched + items.length;
  const isOver = matched >= limit || (allowed > 0 && isWhole && candidates.length < PAGE);
  const after: Operation = {
    ...operation,
    state: isOver ? "done" : "running",
    cursor,
    matched,
    executed: operation.executed + executed,
    skipped: operation.skipped + (isDry ? 0 : items.length - executed),
    updated_at: rfc3339(now),
  };
  await storeProgress(env.DB, { before: operation, after, items });
  return after;
};
