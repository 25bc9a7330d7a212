import { describe, expect, it } from "vitest";
import type { PredicateLimits } from "../../../src/engine/trigger/predicate/limits.ts";
import {
  afterPredicate,
  beforePredicate,
  INITIAL_PREDICATE,
  type PredicateBooks,
  type PredicateOutcome,
  readAnswer,
} from "../../../src/engine/trigger/predicate/predicate.ts";
import { EMPTY_COUNTER } from "../../../src/engine/trigger/predicate/counter.ts";
import { FREE, type PredicateRequest, type PredicateVerdict } from "../../../src/engine/trigger/predicate/records.ts";
import type { Json } from "../../../src/lib/json.ts";
import { NOON } from "./fixture.ts";

const LIMITS: PredicateLimits = {
  max_cost_usd: null,
  tokens_max: null,
  timeout_ms: 1000,
  hourly_cost_usd: null,
  daily_cost_usd: null,
  on_budget_exhausted: "false",
};

const requestOf = (event_id: string, limits: Partial<PredicateLimits> = {}, replay: string | null = null) => ({
  trigger_id: "hub",
  event_id,
  replay_of_event_id: replay,
  reservation_id: `dispatch_${event_id}`,
  limits: { ...LIMITS, ...limits },
});

const answered = (value: Json, cost_usd = 0, llm_calls = 1): PredicateOutcome => ({
  type: "answered",
  value,
  cost_usd,
  tokens: 10,
  llm_calls,
  latency_ms: 5,
});

const thrown: PredicateOutcome = { type: "failed", error: "predicate failed", ...FREE };

/** A trigger whose predicate is asked one event after the other. */
const started = (shared: PredicateBooks["shared"] = null) => {
  let books: PredicateBooks = { state: INITIAL_PREDICATE, shared };
  let calls = 0;
  const judge = (request: PredicateRequest, outcome: PredicateOutcome, now = NOON): PredicateVerdict => {
    const before = beforePredicate(books, request, now);
    books = before.books;
    if (before.result.type === "verdict") return before.result.verdict;
    calls += 1;
    const after = afterPredicate(books, { request, outcome }, now);
    books = after.books;
    return after.result;
  };
  return { judge, calls: () => calls, books: () => books };
};

const kindsOf = ({ records }: PredicateVerdict): readonly string[] => records.map(({ kind }) => kind);

describe("answers", () => {
  it("[T-9.1] a bool or a result of one is an answer, everything else a failure with its text", () => {
    const rows: readonly (readonly [Json, unknown])[] = [
      [true, { result: true }],
      [{ Ok: false }, { result: false }],
      [{ Err: "no" }, { failure: "no" }],
      [{ Err: { code: 1 } }, { failure: '{"code":1}' }],
      [{ Ok: null }, { failure: "predicate Result.Ok payload is missing" }],
      [{ Ok: "x" }, { failure: "predicate Result.Ok payload must be bool, got string" }],
      ["yes", { failure: "predicate must return bool or Result<bool, _>, got string" }],
      [1, { failure: "predicate must return bool or Result<bool, _>, got int" }],
      [1.5, { failure: "predicate must return bool or Result<bool, _>, got float" }],
      [null, { failure: "predicate must return bool or Result<bool, _>, got nil" }],
      [[], { failure: "predicate must return bool or Result<bool, _>, got list" }],
      [{}, { failure: "predicate must return bool or Result<bool, _>, got dict" }],
    ];
    expect(rows.map(([value]) => [value, readAnswer(value)])).toEqual(rows);
  });

  it("[T-9.1] a true answer passes, a false one skips without a reason, and both are recorded", () => {
    const { judge } = started();
    expect(judge(requestOf("e1"), answered(true, 0.5))).toEqual({
      result: true,
      reason: null,
      strategy: null,
      action: "pass",
      retry_at: null,
      records: [
        {
          kind: "predicate.evaluated",
          payload: {
            trigger_id: "hub",
            event_id: "e1",
            result: true,
            cost_usd: 0.5,
            tokens: 10,
            latency_ms: 5,
            cached: false,
            reason: null,
            on_budget_exhausted: null,
            replay_of_event_id: null,
          },
        },
      ],
      warnings: [],
    });
    expect(judge(requestOf("e2"), answered(false))).toMatchObject({ result: false, reason: null, action: "skip" });
  });
});

describe("the breaker", () => {
  it("[T-9.1] three failures open it for five minutes, one more opens it again at once, an answer closes it", () => {
    const { judge, calls } = started();
    const reasons = (now: number, outcome: PredicateOutcome = thrown) =>
      judge(requestOf(`e${now}`), outcome, now).reason;
    expect([reasons(NOON), reasons(NOON)]).toEqual(["predicate failed", "predicate failed"]);
    expect(judge(requestOf("third"), thrown).warnings).toEqual([
      { category: "trigger.predicate.circuit_breaker", failure_count: 3 },
    ]);
    expect(judge(requestOf("e4"), thrown)).toMatchObject({ reason: "circuit_open", strategy: null, action: "skip" });
    expect(reasons(NOON + 299_999)).toBe("circuit_open");
    expect(reasons(NOON + 300_000)).toBe("predicate failed");
    expect(reasons(NOON + 300_000)).toBe("circuit_open");
    const later = NOON + 600_000;
    expect(reasons(later, answered(true))).toBeNull();
    expect([reasons(later + 1), reasons(later + 2), reasons(later + 3), reasons(later + 4)]).toEqual([
      "predicate failed",
      "predicate failed",
      "predicate failed",
      "circuit_open",
    ]);
    expect(calls()).toBe(8);
  });

  it("[T-9.1] a time limit counts as a failure, an answer over its budget does not", () => {
    const { judge, books } = started();
    const limits = { max_cost_usd: 0.1 };
    const late: PredicateOutcome = { type: "timeout", ...FREE };
    const verdict = judge(requestOf("e1", limits), late);
    expect(verdict).toMatchObject({ result: false, reason: "budget_exceeded", strategy: "false" });
    expect(kindsOf(verdict)).toEqual([
      "predicate.budget_exceeded",
      "predicate.invocation_budget_exceeded",
      "predicate.evaluated",
    ]);
    expect(books().state.breaker.failures).toBe(1);
    const over = judge(requestOf("e2", limits), answered(true, 0.2));
    expect(over).toMatchObject({ result: false, reason: "budget_exceeded", action: "skip" });
    expect(over.records[1]?.payload).toEqual({
      trigger_id: "hub",
      event_id: "e2",
      max_cost_usd: 0.1,
      tokens_max: null,
      cost_usd: 0.2,
      tokens: 10,
      replay_of_event_id: null,
    });
    expect(books().state.breaker.failures).toBe(0);
    const warned = { ...limits, on_budget_exhausted: "warn" } as const;
    expect(judge(requestOf("e3", warned), late)).toMatchObject({
      result: true,
      reason: "budget_exceeded",
      action: "pass",
    });
    expect(judge(requestOf("e4", { tokens_max: 9, on_budget_exhausted: "warn" }), answered(false)).result).toBe(false);
  });
});

describe("budgets", () => {
  it("[T-9.1] the first evaluation may break a budget, the next is not asked any more", () => {
    const { judge, calls } = started();
    const limits = { daily_cost_usd: 0.001 };
    const first = judge(requestOf("d1", limits), answered(true, 0.0029));
    expect(first).toMatchObject({ result: false, reason: "daily_budget_exceeded", action: "skip", strategy: "false" });
    expect(kindsOf(first)).toEqual([
      "predicate.budget_exceeded",
      "predicate.daily_budget_exceeded",
      "predicate.evaluated",
    ]);
    const second = judge(requestOf("d2", limits), answered(true));
    expect(second.records[0]).toEqual({
      kind: "predicate.budget_exceeded",
      payload: {
        trigger_id: "hub",
        event_id: "d2",
        reason: "daily_budget_exceeded",
        strategy: "false",
        expected_cost_usd: 0.0029,
        cost_usd: 0,
        tokens: null,
        daily_limit_usd: 0.001,
        hourly_limit_usd: null,
        cost_today_usd: 0.0029,
        cost_hour_usd: 0.0029,
        replay_of_event_id: null,
      },
    });
    expect(kindsOf(second)).toEqual(kindsOf(first));
    expect(calls()).toBe(1);
    expect(judge(requestOf("d3", { daily_cost_usd: 0.0029 }), answered(true), NOON + 86_400_000).result).toBe(true);
  });

  it("[T-9.1] the hour comes before the day, and a trigger's own budget before the common one", () => {
    const broke = { hourly_cost_usd: 0, daily_cost_usd: 0 };
    const shared = { counter: EMPTY_COUNTER, limits: broke };
    const costly = { max_cost_usd: 1 };
    const reasonOf = (limits: Partial<PredicateLimits>, common: PredicateBooks["shared"]) =>
      started(common).judge(requestOf("e", { ...costly, ...limits }), answered(true)).reason;
    expect(reasonOf(broke, shared)).toBe("hourly_budget_exceeded");
    expect(reasonOf({ daily_cost_usd: 0 }, shared)).toBe("daily_budget_exceeded");
    expect(reasonOf({}, shared)).toBe("orchestrator_hourly_budget_exceeded");
    expect(reasonOf({}, { ...shared, limits: { ...broke, hourly_cost_usd: null } })).toBe(
      "orchestrator_daily_budget_exceeded",
    );
    expect(reasonOf({}, null)).toBeNull();
  });

  it.each([
    ["false", false, "skip", null],
    ["fail", false, "dead_letter", null],
    ["warn", true, "pass", null],
    ["retry_later", false, "defer", "2026-04-20T00:00:00.000Z"],
  ] as const)("[T-8] strategy %s", (on_budget_exhausted, result, action, retry_at) => {
    const limits = { max_cost_usd: 1, daily_cost_usd: 0, on_budget_exhausted };
    const verdict = started().judge(requestOf("e", limits), answered(true));
    expect(verdict).toMatchObject({ result, action, retry_at, strategy: on_budget_exhausted });
    expect(verdict.records.at(-1)?.payload["on_budget_exhausted"]).toBe(on_budget_exhausted);
  });

  it("[T-8] with an hourly limit a deferred event is looked at in the next hour", () => {
    const limits = { max_cost_usd: 1, hourly_cost_usd: 0, on_budget_exhausted: "retry_later" } as const;
    const { retry_at } = started().judge(requestOf("e", limits), answered(true), NOON + 1);
    expect(retry_at).toBe("2026-04-19T13:00:00.000Z");
  });

  it("[T-9.1] evaluations at the same time each see the money that the others have put aside", () => {
    const limits = { max_cost_usd: 0.4, hourly_cost_usd: 1 };
    const shared = { counter: EMPTY_COUNTER, limits: { hourly_cost_usd: null, daily_cost_usd: 5 } };
    let books: PredicateBooks = { state: INITIAL_PREDICATE, shared };
    const ask = (event_id: string, now = NOON) => {
      const { books: next, result } = beforePredicate(books, requestOf(event_id, limits), now);
      books = next;
      return result.type;
    };
    expect([ask("a"), ask("b"), ask("c"), ask("b")]).toEqual(["run", "run", "verdict", "run"]);
    const settled = afterPredicate(books, { request: requestOf("a", limits), outcome: answered(true, 0.1) }, NOON);
    books = settled.books;
    expect(settled.result.result).toBe(true);
    expect(books.shared?.counter.day_micros).toBe(100_000);
    expect(ask("c")).toBe("run");
    expect(ask("d", NOON + 61_001)).toBe("run");
  });

  it("[T-9.1] the expected cost is the mean of the last hundred, and free answers do not count", () => {
    const { judge, books } = started();
    for (let i = 0; i < 101; i++) judge(requestOf(`e${i}`), answered(true, i === 0 ? 9 : 0.01));
    judge(requestOf("free"), answered(true, 0));
    expect(books().state.samples).toHaveLength(100);
    expect(new Set(books().state.samples)).toEqual(new Set([10_000]));
    expect(books().state.counter.total_micros).toBe(10_000_000);
  });
});

describe("replays", () => {
  it("[T-9.4] a replay gets the recorded answer for nothing; only answers of models are recorded", () => {
    const { judge, calls } = started();
    judge(requestOf("rc"), answered(true, 0.0001));
    const replay = judge(requestOf("again", {}, "rc"), answered(false));
    expect(replay).toMatchObject({ result: true, action: "pass" });
    expect(replay.records[0]?.payload).toMatchObject({ cached: true, cost_usd: 0, replay_of_event_id: "rc" });
    expect(judge(requestOf("rc", {}, "rc"), answered(false)).result).toBe(true);
    expect(calls()).toBe(1);
    judge(requestOf("plain"), answered(true, 0, 0));
    expect(judge(requestOf("plain", {}, "plain"), answered(false)).result).toBe(false);
    expect(judge(requestOf("x", {}, "plain"), answered(true)).records[0]?.payload["cached"]).toBe(false);
  });

  it("[T-9.4] a bounded number of answers is remembered, the newest ones", () => {
    const { judge, books } = started();
    for (let i = 0; i <= 500; i++) judge(requestOf(`e${i}`), answered(true));
    expect(books().state.cached).toHaveLength(500);
    expect(books().state.cached[0]?.event_id).toBe("e1");
  });
});
