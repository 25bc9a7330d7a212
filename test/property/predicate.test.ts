import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EMPTY_COUNTER } from "../../src/engine/trigger/predicate/counter.ts";
import { dedupeKeyOf, filterVerdict, keyOf } from "../../src/engine/trigger/predicate/expressions.ts";
import {
  afterPredicate,
  beforePredicate,
  INITIAL_PREDICATE,
  type PredicateBooks,
} from "../../src/engine/trigger/predicate/predicate.ts";
import type { PredicateRequest } from "../../src/engine/trigger/predicate/records.ts";
import { compileExpression, evaluate } from "../../src/lib/expression.ts";
import type { Json } from "../../src/lib/json.ts";
import { NOON } from "../unit/trigger/fixture.ts";

const MAX_COST = 100_000;

const requestOf = (id: number, limit: number): PredicateRequest => ({
  trigger_id: "hub",
  event_id: `e${id}`,
  replay_of_event_id: null,
  reservation_id: `r${id}`,
  limits: {
    max_cost_usd: MAX_COST / 1e6,
    tokens_max: null,
    timeout_ms: 1000,
    hourly_cost_usd: null,
    daily_cost_usd: limit / 1e6,
    on_budget_exhausted: "false",
  },
});

/** Begins and ends evaluations in any order; returns what was spent, and how many were admitted. */
const played = (moves: readonly (readonly [boolean, number])[], limit: number, isShared: boolean) => {
  const shared = { counter: EMPTY_COUNTER, limits: { hourly_cost_usd: limit / 1e6, daily_cost_usd: null } };
  let books: PredicateBooks = { state: INITIAL_PREDICATE, shared: isShared ? shared : null };
  const running: PredicateRequest[] = [];
  let admitted = 0;
  const finish = (cost: number): void => {
    const request = running.shift();
    if (request === undefined) return;
    const outcome = {
      type: "answered",
      value: true,
      cost_usd: cost / 1e6,
      tokens: 1,
      llm_calls: 1,
      latency_ms: 1,
    } as const;
    books = afterPredicate(books, { request, outcome }, NOON).books;
  };
  for (const [index, [isStart, cost]] of moves.entries()) {
    if (!isStart) finish(cost);
    else {
      const request = requestOf(index, isShared ? 1e9 : limit);
      const before = beforePredicate(books, request, NOON);
      books = before.books;
      if (before.result.type === "run") {
        running.push(request);
        admitted += 1;
      }
    }
  }
  while (running.length > 0) finish(MAX_COST);
  return { spent: books.state.counter.day_micros, admitted, rest: books.state.counter.reserved };
};

const limits = fc.integer({ min: 0, max: 10 * MAX_COST });
const start = fc.boolean();

describe("predicates", () => {
  it("[T-9.1] evaluations of the expected cost never spend more than the budget, however they overlap", () => {
    const moves = fc.array(fc.tuple(start, fc.constant(MAX_COST)), { maxLength: 40 });
    fc.assert(
      fc.property(moves, limits, fc.boolean(), (given, limit, isShared) => {
        const { spent, admitted, rest } = played(given, limit, isShared);
        expect(spent).toBeLessThanOrEqual(limit);
        expect(spent).toBe(admitted * MAX_COST);
        expect(rest).toEqual([]);
      }),
    );
  });

  it("[T-9.1] evaluations of any allowed cost spend at most one evaluation more than the budget", () => {
    const moves = fc.array(fc.tuple(start, fc.integer({ min: 0, max: MAX_COST })), { maxLength: 40 });
    fc.assert(
      fc.property(moves, limits, fc.boolean(), (given, limit, isShared) => {
        const { spent } = played(given, limit, isShared);
        expect(spent).toBeLessThanOrEqual(limit + MAX_COST);
      }),
    );
  });
});

const name = fc.constantFrom("a", "b", "event", "size", "constructor", "__proto__");
const { source } = fc.letrec<{ source: string }>((tie) => ({
  source: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom("event", "1", "2.5", "'a'", "true", "null", "x", "[]", "{}"),
    fc.tuple(tie("source"), name).map(([left, field]) => `${left}.${field}`),
    fc.tuple(tie("source"), tie("source")).map(([left, right]) => `${left}[${right}]`),
    fc
      .tuple(tie("source"), fc.constantFrom("==", "!=", "<", "+", "-", "*", "/", "%", "&&", "||", "in"), tie("source"))
      .map(([left, op, right]) => `(${left} ${op} ${right})`),
    fc.tuple(tie("source"), tie("source")).map(([left, right]) => `${left}.exists(x, ${right})`),
    fc.tuple(tie("source"), tie("source")).map(([left, right]) => `${left}.map(x, ${right})`),
    fc
      .tuple(fc.constantFrom("size", "int", "string", "bool", "has", "!", "-"), tie("source"))
      .map(([f, arg]) => `${f}(${arg})`),
    fc
      .tuple(tie("source"), fc.constantFrom("contains", "split", "matches", "join"), tie("source"))
      .map(([left, f, right]) => `${left}.${f}(${right})`),
  ),
}));

describe("expressions", () => {
  it("[T-5.1] any expression over any JSON gives a value or a reason and never throws", () => {
    let evaluated = 0;
    fc.assert(
      fc.property(source, fc.jsonValue(), (text, event) => {
        const compiled = compileExpression(text, ["event"]);
        if (!compiled.ok) return;
        evaluated += 1;
        const value = evaluate(compiled.value, { event: event as Json });
        expect(JSON.stringify(value.ok ? value.value : value.error)).toBeTypeOf("string");
      }),
      { numRuns: 1000 },
    );
    expect(evaluated).toBeGreaterThan(100);
  });

  it("[T-5.1] any text is an expression or refused with a reason, as a filter and as a key too", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), source), fc.jsonValue(), (text, value) => {
        const event = { dedupe_key: "d", value };
        expect(["passed", "skipped"]).toContain(filterVerdict(text, event).outcome);
        expect(keyOf(text, event).key).toBeTypeOf("string");
        expect(dedupeKeyOf(text, event).key).not.toBe("");
      }),
      { numRuns: 500 },
    );
  });
});
