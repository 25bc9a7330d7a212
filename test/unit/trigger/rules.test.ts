import * as z from "zod";
import { describe, expect, it } from "vitest";
import { autonomyLimits, autonomyTierOf, predicateLimits } from "../../../src/engine/trigger/predicate/limits.ts";
import {
  approvalRequest,
  autonomyRecord,
  autonomyVerdict,
  INITIAL_AUTONOMY,
  tierCeiling,
} from "../../../src/engine/trigger/predicate/autonomy.ts";
import { compileBulkFilter, matchesBulkFilter } from "../../../src/engine/trigger/predicate/bulk-filter.ts";
import {
  dedupeKeyOf,
  filterVerdict,
  judgeExpression,
  keyOf,
} from "../../../src/engine/trigger/predicate/expressions.ts";
import { DEFAULT_RETRY, delayAfter, retryOf, retrySchedule } from "../../../src/engine/trigger/retry.ts";
import type { Json } from "../../../src/lib/json.ts";
import { checkRules, expressionProblem, ruleShape } from "../../../src/schema/trigger-rules.ts";
import { NOON } from "./fixture.ts";

const schema = z.strictObject(ruleShape).superRefine((rules, context) => {
  checkRules(rules, (path, message) => context.addIssue({ code: "custom", path: [path].flat(), message }));
});

const messagesOf = (rules: unknown): readonly string[] => {
  const read = schema.safeParse(rules);
  return read.success ? [] : read.error.issues.map(({ message }) => message);
};

const timeout = (text: string | number) => messagesOf({ when: "event.x", when_budget: { timeout: text } });

describe("validation", () => {
  it("[T-5.7] points 6 and 8 to 11 in their order and with their texts", () => {
    const wrong = {
      filter: "event.x ==",
      dedupe_key: "nope",
      when_budget: { max_cost_usd: -1, tokens_max: 0, timeout: "5d" },
      budget: {
        max_tokens: 0,
        max_concurrent: 0,
        max_cost_usd: -1,
        hourly_cost_usd: -1,
        daily_cost_usd: -1,
        max_autonomous_decisions_per_hour: 0,
        max_autonomous_decisions_per_day: 0,
      },
      retry: { max: 101, retention_days: 0 },
    };
    expect(messagesOf(wrong)).toEqual([
      "dedupe_key is not a valid expression: unknown variable 'nope' at character 1",
      "filter is not a valid expression: Unexpected token: EOF at character 11",
      "when_budget requires a when predicate",
      "budget.daily_cost_usd must be greater than or equal to 0",
      "budget.hourly_cost_usd must be greater than or equal to 0",
      "budget.max_cost_usd must be greater than or equal to 0",
      "budget.max_autonomous_decisions_per_hour must be greater than or equal to 1",
      "budget.max_autonomous_decisions_per_day must be greater than or equal to 1",
      "budget.max_tokens must be greater than or equal to 1",
      "budget.max_concurrent must be greater than or equal to 1",
      "when_budget.max_cost_usd must be greater than or equal to 0",
      "when_budget.tokens_max must be greater than or equal to 1",
      "when_budget.timeout invalid duration unit in '5d'; expected ms, s, m, or h",
      "retry.max must be less than or equal to 100",
      "retry.retention_days must be greater than or equal to 1",
    ]);
  });

  it("[T-5.7] every text of a time limit", () => {
    expect(timeout(" ")).toEqual(["when_budget.timeout duration cannot be empty"]);
    expect(timeout("ms")).toEqual(["when_budget.timeout invalid duration 'ms'"]);
    expect(timeout("-1s")).toEqual(["when_budget.timeout invalid duration '-1s'"]);
    expect(timeout("99999999999999999999h")).toEqual(["when_budget.timeout invalid duration '99999999999999999999h'"]);
    expect(timeout("9007199254740991h")).toEqual(["when_budget.timeout invalid duration '9007199254740991h'"]);
    for (const good of ["5", "5ms", "5 s", "2m", "1h", 250]) expect(timeout(good)).toEqual([]);
  });

  it("[T-5.7] conditions are true or false", () => {
    expect(messagesOf({ filter: "'a'" })).toEqual([
      "filter must be true or false, but the expression is of type string",
    ]);
    expect(messagesOf({ when: "size(event.x)" })).toEqual([
      "when must be true or false, but the expression is of type int",
    ]);
    expect(messagesOf({ filter: "event.x", when: { model: { prompt: "Is it urgent?" } }, dedupe_key: "1" })).toEqual(
      [],
    );
    expect(expressionProblem("key", "event.x")).toBeNull();
    expect(expressionProblem("key", " ")).toBe("key is not a valid expression: the expression is empty");
  });

  it("[T-5.2] backoffs, aliases and unknown keys", () => {
    expect(messagesOf({ retry: { backoff: "linear" } })).toEqual([
      "unsupported retry.backoff 'linear', expected 'svix' or 'immediate'",
    ]);
    expect(messagesOf({ retry: { backoff: { kind: "cubic" } } })).toEqual([
      `unsupported retry.backoff '{"kind":"cubic"}', expected 'svix' or 'immediate'`,
    ]);
    expect(messagesOf({ tier: "shadow", autonomy_tier: "shadow" })).toEqual([
      "give `autonomy_tier` or `tier`, not both",
    ]);
    expect(messagesOf({ budget: { max_tokens: 1, tokens_max: 1 } })).toEqual([
      "give `budget.max_tokens` or `budget.tokens_max`, not both",
    ]);
    expect(messagesOf({ budget: { tokens_max: 0 } })).toEqual(["budget.max_tokens must be greater than or equal to 1"]);
    expect(messagesOf({ budget: { nope: 1 } })).toEqual(["unknown key `nope`"]);
  });
});

describe("limits", () => {
  it("[T-5.4] when_budget wins over budget, and both may be left out", () => {
    expect(predicateLimits({})).toEqual({
      max_cost_usd: null,
      tokens_max: null,
      timeout_ms: 30_000,
      hourly_cost_usd: null,
      daily_cost_usd: null,
      on_budget_exhausted: "false",
    });
    const budget = {
      max_cost_usd: 2,
      tokens_max: 20,
      hourly_cost_usd: 3,
      daily_cost_usd: 4,
      on_budget_exhausted: "fail",
    };
    const rules = schema.parse({ when: "true", budget, when_budget: { max_cost_usd: 1, timeout: "2s" } });
    expect(predicateLimits(rules)).toEqual({
      max_cost_usd: 1,
      tokens_max: 20,
      timeout_ms: 2000,
      hourly_cost_usd: 3,
      daily_cost_usd: 4,
      on_budget_exhausted: "fail",
    });
    expect(predicateLimits({ when_budget: { timeout: "9h" } }).timeout_ms).toBe(300_000);
    expect(predicateLimits({ when_budget: { timeout: 7 } }).timeout_ms).toBe(7);
  });

  it("[T-5.1] a trigger acts by itself unless told otherwise, under either name of its tier", () => {
    expect([
      autonomyTierOf({}),
      autonomyTierOf({ tier: "suggest" }),
      autonomyTierOf({ autonomy_tier: "shadow" }),
    ]).toEqual(["act_auto", "suggest", "shadow"]);
    expect(autonomyLimits({})).toEqual({ per_hour: null, per_day: null });
  });
});

const event = { dedupe_key: "delivery:1", n: 7, yes: true, none: null, issue: { number: 5 }, title: "Hi" };

const reasonOf = (filter: string | undefined) => {
  const { outcome, reason } = filterVerdict(filter, event);
  return `${outcome}: ${reason}`;
};

const keyed = (text?: string) => dedupeKeyOf(text, event);

describe("filters and keys", () => {
  it("[T-5.5] a filter is true, false or without a value, and says which", () => {
    expect(reasonOf(undefined)).toBe("passed: there is no filter");
    expect(reasonOf("event.n == 7")).toBe("passed: the filter is true");
    expect(reasonOf("event.n == 8")).toBe("skipped: the filter is false");
    expect(reasonOf("event.nope == 8")).toBe("skipped: the filter has no value: `event` has no field `nope`");
    expect(reasonOf("event.n")).toBe("skipped: the filter is neither true nor false");
    expect(reasonOf("nope")).toBe("skipped: the filter has no value: unknown variable 'nope'");
  });

  it("[T-10] a key is a text as it is, and everything else printed", () => {
    const keys = ["event.title", "event.none", "event.n", "event.yes", "event.issue", "1.5", "event.nope"];
    expect(keys.map((key) => keyOf(key, event))).toEqual([
      { key: "Hi", reason: null },
      { key: "null", reason: null },
      { key: "7", reason: null },
      { key: "true", reason: null },
      { key: '{"number":5}', reason: null },
      { key: "1.5", reason: null },
      { key: "null", reason: "`event` has no field `nope`" },
    ]);
  });

  it("[T-10] a long key is known by its digest, and a deep one is none", () => {
    expect(keyOf("event.long", { long: "x".repeat(501) }).key).toMatch(/^sha256:[0-9a-f]{64}$/);
    const deep = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`) as Json;
    expect(keyOf("event.deep", { deep })).toEqual({ key: "null", reason: "the value nests too deeply for a key" });
  });

  it("[T-5.5] a dedupe key falls back to the connector's, with the reason", () => {
    expect(keyed()).toEqual({ key: "delivery:1", reason: null });
    expect(keyed("'issue:' + string(event.issue.number)")).toEqual({ key: "issue:5", reason: null });
    expect(keyed("event.issue.number")).toEqual({ key: "5", reason: null });
    expect(keyed("event.none")).toEqual({ key: "delivery:1", reason: "dedupe_key: the expression gives no text" });
    expect(keyed("''")).toEqual({ key: "delivery:1", reason: "dedupe_key: the expression gives no text" });
    expect(keyed("event.nope")).toEqual({ key: "delivery:1", reason: "dedupe_key: `event` has no field `nope`" });
    const deep = JSON.parse(`${"[".repeat(60)}${"]".repeat(60)}`) as Json;
    expect(dedupeKeyOf("event.deep", { dedupe_key: "d", deep } as { readonly dedupe_key: string }).key).toBe("d");
  });

  it("[T-9.1] a predicate that is an expression costs nothing and is false where it has no value", () => {
    const request = {
      trigger_id: "hub",
      event_id: "evt_1",
      replay_of_event_id: null,
      reservation_id: "dispatch_1",
      limits: predicateLimits({}),
    };
    expect(judgeExpression("event.n == 7", event, request)).toMatchObject({
      result: true,
      action: "pass",
      reason: null,
    });
    expect(judgeExpression("event.nope == 7", event, request)).toMatchObject({
      result: false,
      action: "skip",
      reason: "`event` has no field `nope`",
      records: [{ kind: "predicate.evaluated", payload: { result: false, cost_usd: 0, cached: false } }],
    });
  });
});

const record = {
  event: { id: "evt_1", kind: "issues.opened", and: true },
  binding: { id: "hub", version: 2 },
  attempt: { status: "dlq", count: 3, error: "a NOT b AND 'c'" },
  outcome: { status: "failed", terminal: true },
  audit: { cancel_requested: false },
};

const taken = (text: string): boolean | string => {
  const filter = compileBulkFilter(text);
  return filter.ok ? matchesBulkFilter(filter.value, record) : filter.error;
};

describe("bulk filters", () => {
  it("[T-22.6] AND, OR and NOT in any case, but not in texts and names", () => {
    expect(taken("attempt.status == 'dlq' AND binding.version >= 2")).toBe(true);
    expect(taken("attempt.status == 'x' or NOT audit.cancel_requested")).toBe(true);
    expect(taken('not (outcome.terminal And event.id == "evt_1")')).toBe(false);
    expect(taken("attempt.error == 'a NOT b AND \\'c\\''")).toBe(true);
    expect(taken("event.and && event.kind.startsWith('issues') || android")).toContain("unknown variable 'android'");
    expect(taken("event.and && attempt.count == 3")).toBe(true);
  });

  it("[T-22.6] what is no filter is refused, and a record without the field is not taken", () => {
    expect(taken(" ")).toBe("filter expression cannot be empty");
    expect(taken("event.id ==")).toBe("filter expression is not valid: Unexpected token: EOF");
    expect(taken("'dlq'")).toBe("filter expression must be true or false, but is of type string");
    expect(taken("event.nope == 1")).toBe(false);
    expect(taken("event.id")).toBe(false);
  });
});

describe("autonomy", () => {
  it("[T-9.5] counts by the hour and the day, and asks a person beyond them", () => {
    const limits = { per_hour: 2, per_day: 3 };
    let state = INITIAL_AUTONOMY;
    const next = (now: number) => {
      const made = autonomyVerdict(state, limits, now);
      state = made.state;
      return made.verdict.type === "ok" ? "ok" : made.verdict.reason;
    };
    expect([next(NOON), next(NOON), next(NOON)]).toEqual(["ok", "ok", "hourly_autonomy_budget_exceeded"]);
    const later = NOON + 3_600_000;
    expect([next(later), next(later)]).toEqual(["ok", "daily_autonomy_budget_exceeded"]);
    expect(next(NOON + 86_400_000)).toBe("ok");
    expect(autonomyVerdict(INITIAL_AUTONOMY, { per_hour: null, per_day: null }, NOON).verdict).toEqual({ type: "ok" });
  });

  it("[T-9.5] the request and the record of a dispatch that waits for a person", () => {
    const dispatch = {
      trigger_id: "hub",
      binding_key: "hub@v1",
      event_id: "evt_1",
      handler_kind: "workflow",
      target_uri: "workflow://triage",
      replay_of_event_id: null,
      limits: { per_hour: 1, per_day: null },
    };
    const reason = "hourly_autonomy_budget_exceeded";
    const verdict = { type: "needs_approval", reason, hour_count: 1, day_count: 4 } as const;
    expect(approvalRequest(dispatch, verdict)).toMatchObject({
      title: "approve autonomous dispatch for trigger 'hub' after hourly_autonomy_budget_exceeded",
      detail: { binding_key: "hub@v1", from_tier: "act_auto", requested_tier: "act_with_approval", reason },
      reviewers: ["operator"],
    });
    expect(autonomyRecord(dispatch, verdict, "req_1")).toEqual({
      kind: "autonomy.budget_exceeded",
      payload: {
        trigger_id: "hub",
        event_id: "evt_1",
        reason,
        request_id: "req_1",
        reviewers: ["operator"],
        from_tier: "act_auto",
        requested_tier: "act_with_approval",
        replay_of_event_id: null,
      },
    });
  });

  it("[T-8] what a tier may do at most", () => {
    const tiers = ["shadow", "suggest", "act_with_approval", "act_auto"] as const;
    expect(tiers.map((tier) => [tierCeiling(tier).side_effect_level, tierCeiling(tier).recursion_limit])).toEqual([
      ["none", 0],
      ["read_only", null],
      ["read_only", null],
      ["network", null],
    ]);
  });
});

describe("retries", () => {
  it("[T-5.2] what a definition says", () => {
    expect(retryOf(undefined)).toEqual(DEFAULT_RETRY);
    expect(retryOf({ max: 0, backoff: "svix" })).toEqual(DEFAULT_RETRY);
    expect(retryOf({ max: 3, backoff: "immediate" })).toEqual({
      max_attempts: 3,
      policy: { kind: "linear", delay_ms: 0 },
    });
    const backoff = { kind: "exponential", base_ms: 1000, cap_ms: 5000 } as const;
    expect(retrySchedule(retryOf({ max: 5, backoff }))).toEqual({
      max_attempts: 5,
      delays_ms: [0, 1000, 2000, 4000, 5000],
    });
    const zero = { max_attempts: 100, policy: { kind: "exponential", base_ms: 0, cap_ms: 5 } } as const;
    expect(Math.max(...retrySchedule(zero).delays_ms)).toBe(0);
    const huge = { max_attempts: 100, policy: { kind: "exponential", base_ms: 9e15, cap_ms: 1e300 } } as const;
    expect(retrySchedule(huge).delays_ms.every((delay) => Number.isFinite(delay))).toBe(true);
  });

  it("[T-5.2] jitter adds a part of the wait that follows from the dispatch, and none is the default", () => {
    const retry = retryOf({ max: 3, jitter: 0.5 });
    const wait = delayAfter(retry, 1, "dispatch_1") ?? 0;
    expect(wait).toBeGreaterThan(5000);
    expect(wait).toBeLessThan(7500);
    expect(delayAfter(retry, 1, "dispatch_1")).toBe(wait);
    expect(delayAfter(retry, 1, "dispatch_2")).not.toBe(wait);
    expect(delayAfter(retry, 3, "dispatch_1")).toBeNull();
    expect(delayAfter(retryOf({ max: 3 }), 1, "dispatch_1")).toBe(5000);
  });
});
