import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EventAnswer } from "../../durable-objects/shell/trigger-requests.ts";
import type { Answer } from "../../src/engine/machine.ts";
import type { EventRecord, HandlerReport } from "../../src/engine/trigger/event.ts";
import { isFinal } from "../../src/engine/trigger/evolve.ts";
import type { PredicateOutcome } from "../../src/engine/trigger/predicate/predicate.ts";
import { HostedTrigger } from "../unit/trigger/hosted.ts";

const FAILED = { type: "failed", class: "infrastructure", code: "c", detail: "d" } as const;
const RUN_FAILED = { ...FAILED, code: "run_failed", retryable: true } as const;

const outcomes: readonly HandlerReport[] = [
  { type: "succeeded", result: 1 },
  { type: "running" },
  { ...FAILED, retryable: true },
  { ...FAILED, retryable: false },
  { ...FAILED, class: "cancelled", retryable: false },
  { ...FAILED, class: "denied", retryable: false },
  RUN_FAILED,
];

const COST = { cost_usd: 0.2, tokens: 1, llm_calls: 1, latency_ms: 1 };
const judgements: readonly PredicateOutcome[] = [
  { type: "answered", value: true, ...COST },
  { type: "answered", value: false, ...COST },
  { type: "failed", error: "e", ...COST },
];

const MODEL = { when: { model: { prompt: "p" } } };
const WORKFLOW = { handler: { workflow: "w" } };
const FINISHED = { handler: { workflow: "w", completion: "finished" } };

const definitions: readonly Readonly<Record<string, unknown>>[] = [
  {},
  WORKFLOW,
  { ...FINISHED, retry: { max: 3, backoff: "immediate" } },
  { concurrency: { max: 1 } },
  { ...WORKFLOW, concurrency: { max: 2, key: "event.provider_payload.who" }, throttle: { period: "10s", max: 2 } },
  { batch: { size: 3, timeout: "30s" } },
  { debounce: { key: "event.provider_payload.who", period: "10s" }, singleton: {} },
  { rate_limit: { period: "1m", max: 2 }, singleton: { key: "event.provider_payload.who" } },
  { ...WORKFLOW, ...MODEL, budget: { hourly_cost_usd: 0.5, on_budget_exhausted: "retry_later" } },
  { ...MODEL, budget: { daily_cost_usd: 0.5, on_budget_exhausted: "fail" }, concurrency: { max: 1 } },
  { ...FINISHED, budget: { max_autonomous_decisions_per_hour: 2 }, singleton: {} },
];

type Step =
  | { readonly do: "deliver"; readonly key: string }
  | { readonly do: "dispatch"; readonly row: number; readonly open: boolean; readonly judgement: number }
  | { readonly do: "settle"; readonly row: number; readonly outcome: number; readonly attempt: number }
  | { readonly do: "cancel" | "respond" | "discard" | "replay"; readonly row: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "alarm" | "restart" }
  | { readonly do: "put"; readonly definition: number };

const row = fc.nat(9);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("deliver" as const), key: fc.constantFrom(..."abcdefgh") }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("dispatch" as const),
      row,
      open: fc.nat(9).map((n) => n === 0),
      judgement: fc.nat(judgements.length - 1),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      row,
      outcome: fc.nat(outcomes.length - 1),
      attempt: fc.constantFrom(0, 0, 0, -1, 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("cancel", "respond", "discard", "replay"), row }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 5_000, 30_000, 90_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("alarm" as const, "restart" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("put" as const), definition: fc.nat(definitions.length - 1) }),
  },
);

/** Plays steps on a trigger, and knows of each event what it was told of it. */
class Play {
  readonly host: HostedTrigger;
  readonly known = new Map<string, EventRecord>();

  constructor(definition: number) {
    this.host = new HostedTrigger(definitions[definition]);
  }

  #told(key: string, answer: Answer<EventAnswer> | "stale"): void {
    if (answer !== "stale" && answer.ok) this.known.set(key, answer.reply.record);
  }

  /** The key of a row, counted around. */
  #key(index: number): string | undefined {
    const keys = [...this.host.rows.keys()];
    return keys[index % Math.max(keys.length, 1)];
  }

  play(one: Step): void {
    const { host } = this;
    if (one.do === "pass") host.pass(one.ms);
    else if (one.do === "alarm") host.shell.alarm();
    else if (one.do === "restart") host.restart();
    else if (one.do === "put") host.put(definitions[one.definition]);
    else if (one.do === "deliver") {
      const who = one.key < "e" ? "x" : "y";
      this.known.set(one.key, host.deliver(one.key, { who }).record);
    } else if ("row" in one) {
      const key = this.#key(one.row);
      if (key !== undefined) this.#tell(key, one);
    }
    this.#hear();
  }

  #tell(key: string, one: Extract<Step, { readonly row: number }>): void {
    const { shell } = this.host;
    const record = this.host.record(key);
    switch (one.do) {
      case "dispatch":
        return this.dispatch(key, judgements[one.judgement], one.open);
      case "settle": {
        const attempt = record.attempts.length + one.attempt;
        const outcome = outcomes[one.outcome] ?? RUN_FAILED;
        return this.#told(key, shell.settle(key, { dispatch_id: record.dispatch_id ?? "", attempt, outcome }));
      }
      case "cancel":
        return this.#told(key, shell.cancel(key, { requested_by: null, audit_id: null }));
      case "respond":
        return this.#told(key, shell.respond(key, { approved: true, reviewer: null, reason: null }));
      case "discard":
        return this.#told(key, shell.discard(key, record.dead_letter?.id ?? ""));
      case "replay": {
        if (record.replay !== null) return;
        const request = { version: this.host.version, as_of: null, dlq_id: null, requested_by: null, not_before: null };
        const before = new Set(this.host.rows.keys());
        const answer = shell.replay(key, request);
        const added = [...this.host.rows.keys()].find((other) => !before.has(other));
        return this.#told(added ?? "", answer);
      }
    }
  }

  /** Follows the orders until there is none, or the event is to be handled. */
  dispatch(key: string, outcome: PredicateOutcome | undefined, isOpen = false): void {
    const circuit = isOpen ? ({ type: "open", retry_after_ms: 1_000 } as const) : ({ type: "closed" } as const);
    const first = this.host.shell.dispatch(key);
    this.#told(key, first);
    if (!first.ok || first.reply.order === null || first.reply.order.type === "handle") return;
    const { order } = first.reply;
    const judgement =
      order.type === "ask_model" && outcome !== undefined ? { id: order.question.id, outcome } : undefined;
    this.#told(key, this.host.shell.dispatch(key, { circuit, judgement }));
  }

  /** What changed without being asked for. */
  #hear(): void {
    const { host } = this;
    for (const { record } of host.changed) {
      const found = [...host.rows].find(([, kept]) => kept.receipt === record.receipt)?.[0];
      if (found !== undefined) this.known.set(found, record);
    }
    host.changed = [];
  }
}

const checkRows = ({ host, known }: Play): void => {
  const outbox = new Map(host.outbox.map(({ id, next_at }) => [id, next_at]));
  for (const [key, record] of host.rows) {
    // What was said of an event is what is kept of it (I2, I3).
    expect(known.get(key)).toEqual(record);
    const { event, replay } = record;
    const id = replay === null ? event.id : `${event.id}#${replay.number}`;
    expect(outbox.has(id)).toBe(!isFinal(record));
    outbox.delete(id);
  }
  expect([...outbox.keys()]).toEqual([]);
  const first = Math.min(...host.outbox.map(({ next_at }) => next_at));
  const alarm = host.store.alarmAt();
  if (first !== Infinity) expect(alarm ?? Infinity).toBeLessThanOrEqual(Math.max(first, host.now));
};

const checkPermits = ({ host }: Play): void => {
  const atWork = new Map<string, number>();
  for (const { status, binding, event, attempts } of host.rows.values()) {
    const { concurrency, singleton } = binding.definition;
    const limit = singleton === undefined ? concurrency?.max : 1;
    const key = singleton?.key ?? concurrency?.key;
    if (limit === undefined || (status !== "dispatching" && status !== "retrying")) continue;
    if (attempts.length === 0) continue;
    const gate = `${binding.version} ${key === undefined ? "" : String(event.provider_payload["who"])}`;
    atWork.set(gate, (atWork.get(gate) ?? 0) + 1);
    expect(atWork.get(gate)).toBeLessThanOrEqual(limit);
  }
};

const plays = fc.record({
  definition: fc.nat(definitions.length - 1),
  steps: fc.array(step, { maxLength: 60, size: "max" }),
});

const played = (steps: readonly Step[], definition: number, check: (play: Play) => void): Play => {
  const play = new Play(definition);
  for (const one of steps) {
    play.play(one);
    check(play);
  }
  return play;
};

describe("a trigger on its store", () => {
  it("[T-26.2] says what it keeps, keeps a waker for what is open and nothing else, and never rings too late", () => {
    fc.assert(
      fc.property(plays, ({ definition, steps }) => {
        played(steps, definition, checkRows).host.store.close();
      }),
      { numRuns: 120 },
    );
  }, 60_000);

  it("[T-10] no more events than the limit are at work, and what is over stays over", () => {
    fc.assert(
      fc.property(plays, ({ definition, steps }) => {
        const over = new Map<string, string>();
        const play = played(steps, definition, (now) => {
          checkPermits(now);
          for (const [key, status] of over) expect(now.host.status(key)).toBe(status);
          for (const [key, record] of now.host.rows) if (isFinal(record)) over.set(key, record.status);
        });
        play.host.store.close();
      }),
      { numRuns: 120 },
    );
  }, 60_000);

  it("[T-26.2] whatever has happened, with the alarm alone every event comes to its end", () => {
    fc.assert(
      fc.property(plays, ({ definition, steps }) => {
        const play = played(steps, definition, () => undefined);
        const { host } = play;
        host.restart();
        host.sent = [];
        for (let round = 0; round < 200; round += 1) {
          const open = [...host.rows].filter(([, record]) => !isFinal(record));
          if (open.length === 0) break;
          for (const [key, { status }] of open)
            if (status === "waiting") host.shell.respond(key, { approved: true, reviewer: null, reason: null });
          const alarm = host.store.alarmAt();
          expect(alarm).not.toBeNull();
          const messages = host.pass(Math.max(0, (alarm ?? 0) - host.now));
          const keys = [...messages, ...host.sent].flatMap((message) =>
            "dedupe_key" in message ? [message.dedupe_key] : [],
          );
          host.sent = [];
          for (const key of new Set(keys)) {
            play.dispatch(key, judgements[0]);
            const { status, dispatch_id, attempts } = host.record(key);
            if (status !== "dispatching") continue;
            const report = {
              dispatch_id: dispatch_id ?? "",
              attempt: attempts.length,
              outcome: outcomes[0] ?? RUN_FAILED,
            };
            host.shell.settle(key, report);
          }
        }
        expect([...host.rows.values()].filter((record) => !isFinal(record)).map(({ status }) => status)).toEqual([]);
        host.store.close();
      }),
      { numRuns: 120 },
    );
  }, 60_000);
});
