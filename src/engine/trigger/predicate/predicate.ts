// The evaluation of a trigger's predicate, before and after the question itself (spec/triggers 9.1 to 9.4).
//
//   before --(breaker, budgets, recorded answer)--> verdict
//      \---- run ----> the question is asked outside ----> after ----> verdict
//
// P1 Of evaluations at the same time none passes under money that another one has put aside (counter.ts, C2).
// P2 Every evaluation ends in one `predicate.evaluated`, whichever way it was decided.
// P3 Three failures in a row open the breaker for five minutes; after that one more opens it again at once. An answer
//    closes it.
// P4 An answer that a model gave is remembered by event, and replays of the event get it for nothing.

import { isObject, type Json } from "../../../lib/json.ts";
import type { Timestamp } from "../../../lib/time.ts";
import type { BudgetStrategy } from "../../../schema/trigger-rules.ts";
import {
  brokenLimit,
  type BudgetCounter,
  EMPTY_COUNTER,
  microsOf,
  putAsideByOthers,
  reserve,
  rolled,
  settle,
  type SpendLimits,
} from "./counter.ts";
import {
  actionOf,
  type BudgetReason,
  budgetRecords,
  evaluatedRecord,
  FREE,
  invocationRecord,
  type LifecycleRecord,
  type PredicateCost,
  type PredicateRequest,
  type PredicateVerdict,
  retryAt,
} from "./records.ts";

const MAX_SAMPLES = 100;
const MAX_CACHED = 500;
const BREAKER_FAILURES = 3;
const BREAKER_MS = 300_000;

/** How long after its time limit an evaluation that never reports keeps its money. */
const RESERVATION_GRACE_MS = 60_000;

/** What a trigger remembers of its predicate. */
export interface PredicateState {
  readonly counter: BudgetCounter;
  /** The last costs that were not zero, in micros, oldest first. */
  readonly samples: readonly number[];
  readonly breaker: { readonly failures: number; readonly open_until_ms: Timestamp | null };
  /** What models answered, oldest first. */
  readonly cached: readonly { readonly event_id: string; readonly result: boolean }[];
}

/** The state of a predicate that was never asked. */
export const INITIAL_PREDICATE: PredicateState = {
  counter: EMPTY_COUNTER,
  samples: [],
  breaker: { failures: 0, open_until_ms: null },
  cached: [],
};

/** The budget of all triggers of a tenant together (spec/triggers 5.4). */
export interface SharedBudget {
  readonly counter: BudgetCounter;
  readonly limits: SpendLimits;
}

/** Everything that an evaluation reads and changes. */
export interface PredicateBooks {
  readonly state: PredicateState;
  readonly shared: SharedBudget | null;
}

/** What has to happen now: nothing more, or asking the question. */
export type PredicateDecision =
  | { readonly type: "verdict"; readonly verdict: PredicateVerdict }
  | { readonly type: "run"; readonly timeout_ms: number };

/** How the question ended. */
export type PredicateOutcome = PredicateCost &
  (
    | { readonly type: "answered"; readonly value: Json }
    | { readonly type: "failed"; readonly error: string }
    | { readonly type: "timeout" }
  );

interface Step<Result> {
  readonly books: PredicateBooks;
  readonly result: Result;
}

const rolledBooks = ({ state, shared }: PredicateBooks, now: Timestamp): PredicateBooks => ({
  state: { ...state, counter: rolled(state.counter, now) },
  shared: shared === null ? null : { ...shared, counter: rolled(shared.counter, now) },
});

/** The mean of what evaluations cost, else the most one may cost, else nothing (spec/triggers 9.1, step 3). */
export const expectedMicros = ({ samples }: PredicateState, { limits }: PredicateRequest): number => {
  if (samples.length > 0) return Math.floor(samples.reduce((sum, one) => sum + one, 0) / samples.length);
  return microsOf(limits.max_cost_usd ?? 0);
};

const brokenBudget = ({ state, shared }: PredicateBooks, limits: SpendLimits, more: More): BudgetReason | null => {
  const own = brokenLimit(state.counter, limits, more(state.counter));
  if (own !== null) return `${own}_budget_exceeded`;
  const common = shared === null ? null : brokenLimit(shared.counter, shared.limits, more(shared.counter));
  return common === null ? null : `orchestrator_${common}_budget_exceeded`;
};

/** What is to come on top of what a counter has spent, in micros. */
type More = (counter: BudgetCounter) => number;

/** After the question only what was spent counts. */
const nothingMore: More = () => 0;

interface Draft {
  readonly result: boolean;
  readonly reason: string | null;
  readonly strategy: BudgetStrategy | null;
  readonly cost: PredicateCost;
  readonly cached: boolean;
  readonly records: readonly LifecycleRecord[];
  readonly warnings: PredicateVerdict["warnings"];
}

const NOTHING_YET = { reason: null, strategy: null, cost: FREE, cached: false, records: [], warnings: [] } as const;

const finished = (draft: Draft, request: PredicateRequest, now: Timestamp): PredicateVerdict => {
  const { result, reason, strategy, records, warnings } = draft;
  const action = actionOf(result, strategy);
  return {
    result,
    reason,
    strategy,
    action,
    retry_at: action === "defer" ? retryAt(request.limits, now) : null,
    records: [...records, evaluatedRecord(request, draft)],
    warnings,
  };
};

/** A budget that is broken decides, unless the strategy is only to warn (spec/triggers 9.1, steps 3 and 10). */
const underBudget = (
  draft: Draft,
  books: PredicateBooks,
  { request, expected, more }: { readonly request: PredicateRequest; readonly expected: number; readonly more: More },
): Draft => {
  const reason = brokenBudget(books, request.limits, more);
  if (reason === null) return draft;
  const strategy = request.limits.on_budget_exhausted;
  const { counter } = books.state;
  const cost = more === nothingMore ? draft.cost : null;
  return {
    ...draft,
    result: strategy === "warn" ? draft.result : false,
    reason,
    strategy,
    records: [...draft.records, ...budgetRecords(request, { reason, counter, expected, cost })],
  };
};

const cachedAnswer = ({ cached }: PredicateState, { event_id, replay_of_event_id }: PredicateRequest) =>
  cached.find((one) => one.event_id === (replay_of_event_id ?? event_id));

const putAside = (books: PredicateBooks, request: PredicateRequest, now: Timestamp): PredicateBooks => {
  const { state, shared } = books;
  const { limits, reservation_id: id } = request;
  // Others are to count the most it may cost, not only what it usually does.
  const micros = Math.max(expectedMicros(state, request), microsOf(limits.max_cost_usd ?? 0));
  const reservation = { id, micros, expires_at_ms: now + limits.timeout_ms + RESERVATION_GRACE_MS };
  return {
    state: { ...state, counter: reserve(state.counter, reservation) },
    shared: shared === null ? null : { ...shared, counter: reserve(shared.counter, reservation) },
  };
};

/** Decides without asking where that is possible, and puts money aside where it is not (spec/triggers 9.1, steps 1 to 4). */
export const beforePredicate = (
  given: PredicateBooks,
  request: PredicateRequest,
  now: Timestamp,
): Step<PredicateDecision> => {
  const books = rolledBooks(given, now);
  const { state } = books;
  const decided = (draft: Draft): Step<PredicateDecision> => ({
    books,
    result: { type: "verdict", verdict: finished(draft, request, now) },
  });
  if ((state.breaker.open_until_ms ?? 0) > now) {
    return decided({ ...NOTHING_YET, result: false, reason: "circuit_open" });
  }
  const expected = expectedMicros(state, request);
  const more: More = (counter) => expected + putAsideByOthers(counter, request.reservation_id);
  const preflight = underBudget({ ...NOTHING_YET, result: true }, books, { request, expected, more });
  if (preflight.reason !== null) return decided(preflight);
  const known = cachedAnswer(state, request);
  if (known !== undefined) {
    const draft = { ...NOTHING_YET, result: known.result, cached: true };
    return decided(underBudget(draft, books, { request, expected: 0, more: nothingMore }));
  }
  return { books: putAside(books, request, now), result: { type: "run", timeout_ms: request.limits.timeout_ms } };
};

const typeOf = (value: Json | undefined): string => {
  if (value === null || value === undefined) return "nil";
  if (Array.isArray(value)) return "list";
  if (isObject(value)) return "dict";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return typeof value === "boolean" ? "bool" : "string";
};

type Read = { readonly result: boolean } | { readonly failure: string };

/** The bool of an answer, or why it has none (spec/triggers 9.1, step 7). */
export const readAnswer = (value: Json): Read => {
  if (typeof value === "boolean") return { result: value };
  const variant = isObject(value) ? Object.keys(value)[0] : undefined;
  if (isObject(value) && variant === "Err") {
    const error = value["Err"] ?? null;
    return { failure: typeof error === "string" ? error : JSON.stringify(error) };
  }
  if (!isObject(value) || variant !== "Ok") {
    return { failure: `predicate must return bool or Result<bool, _>, got ${typeOf(value)}` };
  }
  const payload = value["Ok"];
  if (payload === undefined || payload === null) return { failure: "predicate Result.Ok payload is missing" };
  if (typeof payload === "boolean") return { result: payload };
  return { failure: `predicate Result.Ok payload must be bool, got ${typeOf(payload)}` };
};

const readOutcome = (outcome: PredicateOutcome): Read => {
  if (outcome.type === "answered") return readAnswer(outcome.value);
  return { failure: outcome.type === "timeout" ? "predicate evaluation timed out" : outcome.error };
};

const breakerAfter = (state: PredicateState, hasFailed: boolean, now: Timestamp): PredicateState["breaker"] => {
  if (!hasFailed) return INITIAL_PREDICATE.breaker;
  const failures = state.breaker.failures + 1;
  return { failures, open_until_ms: failures >= BREAKER_FAILURES ? now + BREAKER_MS : state.breaker.open_until_ms };
};

/** Charges the evaluation and remembers how it went (spec/triggers 9.1, steps 6, 8 and 11). */
const booked = (
  { state, shared }: PredicateBooks,
  {
    request,
    outcome,
    read,
  }: { readonly request: PredicateRequest; readonly outcome: PredicateOutcome; readonly read: Read },
  now: Timestamp,
): PredicateBooks => {
  const { reservation_id: id, event_id, replay_of_event_id } = request;
  const micros = microsOf(outcome.cost_usd);
  const isRecorded = outcome.llm_calls > 0 && replay_of_event_id === null && "result" in read;
  const others = state.cached.filter((one) => one.event_id !== event_id);
  return {
    state: {
      counter: settle(state.counter, id, micros),
      samples: micros === 0 ? state.samples : [...state.samples, micros].slice(-MAX_SAMPLES),
      breaker: breakerAfter(state, "failure" in read, now),
      cached: isRecorded ? [...others, { event_id, result: read.result }].slice(-MAX_CACHED) : state.cached,
    },
    shared: shared === null ? null : { ...shared, counter: settle(shared.counter, id, micros) },
  };
};

/** The limits of this one evaluation (spec/triggers 9.1, step 9). */
const underOwnLimits = (
  draft: Draft,
  {
    request,
    outcome,
    counter,
    expected,
  }: {
    readonly request: PredicateRequest;
    readonly outcome: PredicateOutcome;
    readonly counter: BudgetCounter;
    readonly expected: number;
  },
): Draft => {
  const { max_cost_usd, tokens_max, on_budget_exhausted: strategy } = request.limits;
  const isOver =
    (max_cost_usd !== null && outcome.cost_usd > max_cost_usd) || (tokens_max !== null && outcome.tokens > tokens_max);
  if (!isOver && outcome.type !== "timeout") return draft;
  const kept = outcome.type === "timeout" || draft.result;
  const reason = "budget_exceeded";
  return {
    ...draft,
    result: strategy === "warn" ? kept : false,
    reason,
    strategy,
    records: [
      ...budgetRecords(request, { reason, counter, expected, cost: draft.cost }),
      invocationRecord(request, draft.cost),
    ],
  };
};

/** Judges how the question ended (spec/triggers 9.1, steps 6 to 12). */
export const afterPredicate = (
  given: PredicateBooks,
  { request, outcome }: { readonly request: PredicateRequest; readonly outcome: PredicateOutcome },
  now: Timestamp,
): Step<PredicateVerdict> => {
  const rolledOver = rolledBooks(given, now);
  const expected = expectedMicros(rolledOver.state, request);
  const read = readOutcome(outcome);
  const books = booked(rolledOver, { request, outcome, read }, now);
  const { counter, breaker } = books.state;
  const { cost_usd, tokens, llm_calls, latency_ms } = outcome;
  const opened = "failure" in read && breaker.failures >= BREAKER_FAILURES;
  const draft: Draft = {
    ...NOTHING_YET,
    result: "result" in read && read.result,
    reason: "failure" in read ? read.failure : null,
    cost: { cost_usd, tokens, llm_calls, latency_ms },
    warnings: opened ? [{ category: "trigger.predicate.circuit_breaker", failure_count: breaker.failures }] : [],
  };
  const own = underOwnLimits(draft, { request, outcome, counter, expected });
  const judged = underBudget(own, books, { request, expected: 0, more: nothingMore });
  return { books, result: finished(judged, request, now) };
};
