import { afterEach, describe, expect, it } from "vitest";
import type { EventAnswer } from "../../../durable-objects/shell/trigger-requests.ts";
import { replayKey } from "../../../durable-objects/shell/keyed-events.ts";
import type { PredicateOutcome } from "../../../src/engine/trigger/predicate/predicate.ts";
import { codeOf, given, HostedTrigger } from "./hosted.ts";

const WHEN = { when: { model: { prompt: "Is it urgent?" } } };
const HOUR_MS = 3_600_000;

let host: HostedTrigger;

const hosted = (definition: Readonly<Record<string, unknown>>): HostedTrigger => {
  host = new HostedTrigger({ handler: { workflow: "triage" }, ...definition });
  return host;
};

afterEach(() => host.store.close());

const said = (value: boolean, cost_usd = 0.01): PredicateOutcome => ({
  type: "answered",
  value,
  cost_usd,
  tokens: 10,
  llm_calls: 1,
  latency_ms: 5,
});

const THROWN: PredicateOutcome = { type: "failed", error: "no", cost_usd: 0, tokens: 0, llm_calls: 0, latency_ms: 0 };

const answer = (key: string, outcome: PredicateOutcome): EventAnswer =>
  host.dispatch(key, { judgement: { id: key, outcome } });

/** Delivers, and has the model say this. */
const judged = (key: string, outcome: PredicateOutcome): EventAnswer => {
  host.deliver(key);
  if (host.dispatch(key).order?.type !== "ask_model") throw new Error(`nobody asks about ${key}`);
  return answer(key, outcome);
};

const evaluated = (): readonly unknown[] =>
  host.log
    .filter(({ kind }) => kind === "predicate.evaluated")
    .map(({ payload }) => [payload["result"], payload["reason"]]);

describe("an expression", () => {
  it("[T-9.1] decides in the object, and nobody is asked", () => {
    hosted({ when: 'event.provider_payload.state == "open"' });
    host.deliver("a", { state: "open" });
    host.deliver("b", { state: "shut" });
    expect(host.dispatch("a").order).toMatchObject({ type: "handle" });
    const { record, order } = host.dispatch("b");
    expect(order).toBeNull();
    expect(record).toMatchObject({ status: "skipped", verdicts: [{}, { stage: "predicate", outcome: "skipped" }] });
    expect(host.outbox).toHaveLength(1);
    expect(evaluated()).toEqual([
      [true, null],
      [false, null],
    ]);
  });

  it("[T-9.1] one that fails lets nothing through", () => {
    hosted({ when: 'event.provider_payload.missing == "x"' });
    host.deliver("a");
    expect(host.dispatch("a").record).toMatchObject({ status: "skipped", result: { skipped: true } });
  });
});

describe("a model", () => {
  it("[T-9.1] is asked once, however often the event is called on meanwhile", () => {
    hosted(WHEN);
    host.deliver("a");
    const { order } = host.dispatch("a");
    expect(order).toMatchObject({
      type: "ask_model",
      question: { id: "a", model: { prompt: "Is it urgent?" }, timeout_ms: 30_000, has_cost_limit: false },
    });
    expect(host.dispatch("a").order).toBeNull();
    expect(answer("a", said(true)).order).toMatchObject({ type: "handle" });
    expect(host.dispatch("a").order).toMatchObject({ type: "handle" });
    expect(evaluated()).toEqual([[true, null]]);
  });

  it("[T-9.1] is asked again when whoever asked is gone", () => {
    hosted(WHEN);
    host.deliver("a");
    host.dispatch("a");
    host.pass(44_999);
    expect(host.dispatch("a").order).toBeNull();
    host.pass(1);
    expect(host.dispatch("a").order).toMatchObject({ type: "ask_model" });
    host.restart();
    expect(host.dispatch("a").order).toMatchObject({ type: "ask_model" });
  });

  it("[T-8] that says no makes the event skipped, with what it says about it", () => {
    hosted(WHEN);
    expect(judged("a", said(false)).record).toMatchObject({
      status: "skipped",
      result: { skipped: true, predicate: "Is it urgent?", reason: null },
    });
    expect(host.outbox).toEqual([]);
  });

  it("[T-9.1] what it said about an event outlives a restart, and costs its replay nothing", () => {
    hosted(WHEN);
    judged("a", said(true));
    host.settle("a", { type: "succeeded", result: null });
    host.restart();
    host.replay("a");
    expect(host.dispatch(replayKey("a", 1)).order).toMatchObject({ type: "handle" });
    expect(host.log.findLast(({ kind }) => kind === "predicate.evaluated")).toMatchObject({
      payload: { cached: true, cost_usd: 0 },
    });
  });

  it("[T-9.1] whose answer belongs to another event is not believed", () => {
    hosted(WHEN);
    host.deliver("a");
    host.dispatch("a");
    expect(host.dispatch("a", { judgement: { id: "b", outcome: said(true) } }).order).toBeNull();
    expect(host.status("a")).toBe("accepted");
  });

  it("[T-9.1] that failed three times in a row is left in peace for five minutes", () => {
    hosted(WHEN);
    for (const key of ["a", "b", "c"]) expect(judged(key, THROWN).record.status).toBe("skipped");
    host.restart();
    host.deliver("d");
    expect(host.dispatch("d").record).toMatchObject({ status: "skipped", result: { reason: "circuit_open" } });
    host.now += 300_000;
    host.deliver("e");
    expect(host.dispatch("e").order).toMatchObject({ type: "ask_model" });
  });

  it("[T-9.1] money that one question has put aside is not there for another", () => {
    hosted({ ...WHEN, when_budget: { max_cost_usd: 0.6 }, budget: { hourly_cost_usd: 1 } });
    host.deliver("a");
    host.deliver("b");
    expect(host.dispatch("a").order).toMatchObject({ type: "ask_model", question: { has_cost_limit: true } });
    expect(host.dispatch("b").record).toMatchObject({
      status: "skipped",
      result: { reason: "hourly_budget_exceeded" },
    });
    answer("a", said(true, 0.1));
    host.deliver("c");
    expect(host.dispatch("c").order).toMatchObject({ type: "ask_model" });
  });

  it("[T-8] whose budget is used up has the event wait for the next hour, and then it goes on", () => {
    hosted({ ...WHEN, budget: { hourly_cost_usd: 0.5, on_budget_exhausted: "retry_later" } });
    judged("a", said(true, 0.5));
    host.restart();
    host.deliver("b");
    expect(host.dispatch("b").record).toMatchObject({
      status: "deferred",
      next_at: "2026-04-19T13:00:00.000Z",
      result: { deferred: true, predicate: "Is it urgent?", reason: "hourly_budget_exceeded" },
    });
    expect(host.dispatch("b").order).toBeNull();
    const { id } = host.record("b").event;
    expect(host.outbox).toContainEqual({ id, next_at: host.now + HOUR_MS });
    expect(host.log.filter(({ topic }) => topic === "trigger.attempts").map(({ kind }) => kind)).toContain(
      "budget_deferred",
    );
    host.settle("a", { type: "succeeded", result: null });
    host.takeSent();
    expect(host.pass(HOUR_MS)).toMatchObject([{ dedupe_key: "b" }]);
    expect(host.dispatch("b").order).toMatchObject({ type: "ask_model" });
    expect(answer("b", said(true, 0.1)).order).toMatchObject({ type: "handle" });
  });

  it("[T-8] whose budget is used up makes a dead letter where that was asked for", () => {
    hosted({ ...WHEN, budget: { daily_cost_usd: 0.5, on_budget_exhausted: "fail" } });
    judged("a", said(true, 0.6));
    expect(host.record("a")).toMatchObject({
      status: "dead_lettered",
      dead_letter: { error: "trigger budget exhausted: daily_budget_exceeded", reason: "budget_exhausted" },
    });
    expect(host.outbox).toEqual([]);
    expect(host.log.map(({ kind }) => kind)).toContain("DlqMoved");
  });

  it("[T-13.1] an event that is cancelled while the model thinks stays cancelled", () => {
    hosted(WHEN);
    host.deliver("a");
    host.dispatch("a");
    given(host.shell.cancel("a", { requested_by: null, audit_id: null }));
    const { record, order } = answer("a", said(true));
    expect([record.status, order]).toEqual(["cancelled", null]);
  });

  it("[T-10] is not asked again about an event that waited at its gates", () => {
    hosted({ ...WHEN, concurrency: { max: 1 } });
    judged("a", said(true));
    expect(host.begin("a")).toMatchObject({ type: "handle" });
    expect(judged("b", said(true)).record.status).toBe("parked");
    host.settle("a", { type: "succeeded", result: null });
    expect(host.dispatch("b", { circuit: { type: "closed" } }).order).toMatchObject({ type: "handle" });
    expect(evaluated()).toHaveLength(2);
  });
});

describe("the autonomy budget", () => {
  const ONE = { budget: { max_autonomous_decisions_per_hour: 1 } };
  const YES = { approved: true, reviewer: "ann", reason: null };

  const waiting = (): void => {
    hosted(ONE);
    host.deliver("a");
    expect(host.dispatch("a").order).toMatchObject({ type: "handle" });
    host.settle("a", { type: "succeeded", result: null });
    host.restart();
    host.deliver("b");
  };

  it("[T-9.5] beyond it a person is asked, and the event goes on with the approval", () => {
    waiting();
    const { record } = host.dispatch("b");
    expect(record).toMatchObject({
      status: "waiting",
      approval: {
        title: "approve autonomous dispatch for trigger 'hub' after hourly_autonomy_budget_exceeded",
        reviewers: ["operator"],
        decision: null,
      },
    });
    const request_id = record.approval?.request_id ?? "";
    expect(record.result).toEqual({
      approval_required: true,
      request_id,
      reason: "hourly_autonomy_budget_exceeded",
      reviewers: ["operator"],
    });
    expect(host.log.findLast(({ kind }) => kind === "autonomy.budget_exceeded")?.payload).toMatchObject({ request_id });
    host.pass(HOUR_MS);
    expect(host.dispatch("b").order).toBeNull();
    host.takeSent();
    given(host.shell.respond("b", YES));
    expect(host.takeSent()).toEqual(["b"]);
    expect(host.dispatch("b").order).toMatchObject({ type: "handle" });
    expect(host.record("b").approval?.decision).toMatchObject({ approved: true, reviewer: "ann" });
    expect(codeOf(host.shell.respond("b", YES))).toBe("approval_decided");
  });

  it("[T-9.5] a denial skips it, and there is nothing to answer where nobody was asked", () => {
    waiting();
    expect(codeOf(host.shell.respond("b", YES))).toBe("approval_not_found");
    host.dispatch("b");
    const { record } = given(host.shell.respond("b", { approved: false, reviewer: "ann", reason: "not now" }));
    expect(record).toMatchObject({ status: "skipped", result: { approval: "denied", reason: "not now" } });
    expect(host.outbox).toEqual([]);
  });

  it("[T-9.5] the next hour has its own, and other tiers have none", () => {
    waiting();
    host.now += HOUR_MS;
    expect(host.dispatch("b").order).toMatchObject({ type: "handle" });
    host.store.close();
    hosted({ ...ONE, autonomy_tier: "suggest" });
    for (const key of ["a", "b", "c"]) {
      host.deliver(key);
      expect(host.dispatch(key).order).toMatchObject({ type: "handle" });
    }
  });

  it("[T-9.5] with the approval the predicate is not asked again", () => {
    hosted({ ...ONE, ...WHEN });
    judged("a", said(true));
    expect(judged("b", said(true)).record.status).toBe("waiting");
    given(host.shell.respond("b", YES));
    expect(host.dispatch("b").order).toMatchObject({ type: "handle" });
    expect(evaluated()).toHaveLength(2);
  });

  it("[T-9.5] an event is counted once, however long it waits at its gates", () => {
    hosted({ budget: { max_autonomous_decisions_per_hour: 2 }, concurrency: { max: 1 } });
    for (const key of ["a", "b"]) {
      host.deliver(key);
      host.begin(key);
    }
    expect(host.status("b")).toBe("parked");
    host.restart();
    host.settle("a", { type: "succeeded", result: null });
    expect(host.begin("b")).toMatchObject({ type: "handle" });
  });
});
