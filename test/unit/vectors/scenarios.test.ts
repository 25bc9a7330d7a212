import { expect, it } from "vitest";
import { runVector } from "../../vectors/conformance.ts";
import { OPERATIONS } from "../../vectors/operations/index.ts";
import { parseVector } from "../../vectors/vector.ts";

// Named scenarios of triggers that no acceptance vector of the repository shows, put to the same system.

type Step = readonly [op: string, args?: object, expected?: object];

const returns = (value: unknown): object => ({ returns: value });
const fails = (message: string): object => ({ error: { message } });

const event = (id: string, more: object = {}): object => ({
  event: { id, provider: "github", kind: "push", dedupe_key: id, trace_id: `trace_${id}`, headers: {}, ...more },
});

const install = (trigger: object): Step => [
  "install_triggers",
  {
    triggers: [
      {
        id: "t",
        provider: "github",
        match_events: ["push"],
        handler: { uri: "fn", results: [{ returns: 1 }] },
        ...trigger,
      },
    ],
  },
];

const handledBy = (...results: readonly object[]) => ({ handler: { uri: "fn", results } });
const gate = (...results: readonly object[]) => ({ when: { expr: "gate", results } });
const after = (ms: number): Step => ["advance_clock", { ms }];
const immediate = (max_attempts: number) => ({ max_attempts, policy: { kind: "linear", delay_ms: 0 } });
const dispatch = (id: string, outcome: object): Step => ["dispatch", event(id), returns([outcome])];
const start = (id: string): Step => ["dispatch_start", { ...event(id), as: id }];
const wait = (id: string, outcome: object): Step => ["dispatch_wait", { dispatch: { $ref: id } }, returns([outcome])];
const cancel: Step = ["request_cancel", { binding_key: "t@v1", event_id: "a" }];
const cancelled = (attempt_count: number, where: string) => ({
  status: "cancelled",
  attempt_count,
  error: `trigger cancel request cancelled ${where}`,
});

const tooDear = (on_budget_exhausted: string): Step =>
  install({
    ...gate({ value: true, cost_usd: 0.01, tokens: 10, llm_calls: 1 }),
    when_budget: { max_cost_usd: 0.001 },
    on_budget_exhausted,
  });

const queued = (event_id: string): Step => ["enqueue_job", { queue: "q", event_id }];
const claimed = (as: string, ttl_ms: number): Step => ["claim_job", { queue: "q", consumer_id: as, ttl_ms, as }];

const FORTY = Array.from({ length: 40 }, (_, at) => `e${at}`);

const TICKS: Step = ["cron_activate", { bindings: [{ id: "c", schedule: "* * * * *", catchup_mode: "all" }] }];

const SCENARIOS: Readonly<Record<string, readonly Step[]>> = {
  "[T-6.2] S7b a manifest that goes back revives the first version, and events are handled by it": [
    ["install_manifest", { triggers: [{ id: "m", provider: "github", match_events: ["push"], fingerprint: "A" }] }],
    ["install_manifest", { triggers: [{ id: "m", provider: "github", match_events: ["push"], fingerprint: "B" }] }],
    ["install_manifest", { triggers: [{ id: "m", provider: "github", match_events: ["push"], fingerprint: "A" }] }],
    ["matching_bindings", event(""), returns([{ id: "m", version: 1 }])],
    ["begin_in_flight", { id: "m", version: 1 }],
  ],
  "[T-7.4] S9 forty events that were taken in are all handled once, though the process dies among them": [
    install({ ...handledBy({ takes_ms: 50, returns: 1 }), flow_control: { concurrency: { max: 10 } } }),
    ["start_dispatcher"],
    ...FORTY.map((id): Step => ["enqueue_event", { ...event(id), trigger_id: "t", binding_version: 1 }]),
    after(60),
    ["restart"],
    after(3_600_000),
    ["read_topic", { topic: "trigger.outbox", kinds: ["dispatch_succeeded"] }, returns({ $len: 40 })],
    ["list_bindings", {}, returns([{ metrics: { in_flight: 0 } }])],
    ["stranded_envelopes", {}, returns([])],
  ],
  "[T-12.4] S12 a destination that always fails is left alone for a minute, and then closes with a success": [
    install({
      ...handledBy(...Array.from({ length: 5 }, () => ({ throws: "boom" })), { returns: 1 }),
      retry: immediate(7),
    }),
    dispatch("a", {
      status: "dlq",
      attempt_count: 5,
      error: "destination circuit opened for local:fn after 5 consecutive failures: boom",
    }),
    dispatch("b", { status: "dlq", attempt_count: 0, error: { $contains: "retry after 60s" } }),
    after(59_001),
    dispatch("c", { status: "dlq", attempt_count: 0, error: { $contains: "retry after 1s" } }),
    after(999),
    dispatch("d", { status: "succeeded", attempt_count: 1 }),
    dispatch("e", { status: "succeeded", attempt_count: 1 }),
  ],
  "[T-12.6] S14 a dead letter that was discarded is off the list for good": [
    install({ ...handledBy({ throws: "boom" }), retry: immediate(1) }),
    ["trigger_fire", { ...event("a"), trigger_id: "t", as: "f" }, returns({ status: "dlq" })],
    ["dlq_discard", { entry_id: { $ref: "f.dlq_entry_id" } }, returns({ state: "discarded" })],
    ["dlq_list", {}, returns([])],
    ["dlq_discard", { entry_id: "dlq_none" }, fails("unknown pending DLQ entry 'dlq_none'")],
    ["restart"],
    ["dlq_list", {}, returns([])],
  ],
  "[T-9.1] S17 false: a predicate above its cost skips": [
    tooDear("false"),
    dispatch("a", { status: "skipped", result: { reason: "budget_exceeded" } }),
  ],
  "[T-9.1] S17 fail: it makes a dead letter": [
    tooDear("fail"),
    dispatch("a", { status: "dlq", attempt_count: 0, error: "trigger budget exhausted: budget_exceeded" }),
    ["topic_kinds", { topic: "trigger.outbox" }, returns(["dispatch_failed"])],
    [
      "read_topic",
      { topic: "triggers.lifecycle", kinds: ["DlqMoved"] },
      returns([{ payload: { reason: "budget_exhausted" } }]),
    ],
  ],
  "[T-9.1] S17 retry_later: it waits for the next day": [
    ["set_clock", { at: "2026-04-19T10:20:00Z" }],
    tooDear("retry_later"),
    dispatch("a", { status: "waiting", result: { deferred: true, predicate: "gate", reason: "budget_exceeded" } }),
    [
      "read_topic",
      { topic: "trigger.attempts" },
      returns([{ kind: "budget_deferred", payload: { retry_at: { $prefix: "2026-04-20T00:00:00" } } }]),
    ],
  ],
  "[T-9.1] S17 warn: it is handled, with a note": [
    tooDear("warn"),
    dispatch("a", { status: "succeeded" }),
    [
      "read_topic",
      { topic: "triggers.lifecycle", kinds: ["predicate.evaluated"] },
      returns([{ payload: { result: true, reason: "budget_exceeded", on_budget_exhausted: "warn" } }]),
    ],
  ],
  "[T-20.1] a path belongs to one trigger": [
    [
      "activate_webhook",
      {
        bindings: [
          { id: "a", provider: "github", path: "/x" },
          { id: "b", provider: "slack", match: { path: "/x" } },
        ],
      },
      { error: { message: "trigger route '/x' is configured more than once", kind: "activation" } },
    ],
    [
      "activate_webhook",
      { bindings: [{ id: "a", provider: "github", path: "x" }] },
      fails("trigger 'a' path must start with '/'"),
    ],
    [
      "activate_webhook",
      {
        bindings: [
          { id: "a", provider: "github", path: "/x" },
          { id: "b", provider: "slack" },
        ],
      },
      returns({ active: 2 }),
    ],
  ],
  "[T-10] S20 a singleton is free again after a failure": [
    install({
      ...handledBy({ takes_ms: 10, throws: "boom" }, { returns: 1 }),
      retry: immediate(1),
      flow_control: { singleton: {} },
    }),
    start("a"),
    dispatch("b", { status: "skipped", result: { flow_control: "singleton_active" } }),
    wait("a", { status: "dlq" }),
    dispatch("c", { status: "succeeded" }),
  ],
  "[T-10] S22 a group that is not full goes at its deadline, all of it in one dispatch": [
    install({
      ...handledBy({ returns: { $event: "batch" } }),
      flow_control: { batch: { size: 3, timeout_ms: 5_000 } },
    }),
    start("a"),
    start("b"),
    after(4_999),
    ["dispatch_poll", { dispatch: { $ref: "a" } }, returns({ finished: false })],
    after(1),
    wait("a", { status: "succeeded", result: [{ id: "a" }, { id: "b" }] }),
    wait("b", { status: "skipped", result: { flow_control: "batch_merged" } }),
  ],
  "[T-13.1] S24 cancelled before the first attempt": [
    install({ flow_control: { debounce: { key: "event.kind", period_ms: 1_000 } } }),
    start("a"),
    cancel,
    wait("a", cancelled(0, "dispatch before attempt 1")),
  ],
  "[T-13.1] S24 cancelled while the handler is at work": [
    install(handledBy({ until_cancelled: true })),
    start("a"),
    cancel,
    wait("a", cancelled(1, "local handler")),
  ],
  "[T-13.1] S24 cancelled between two attempts": [
    install({
      ...handledBy({ throws: "boom" }),
      retry: { max_attempts: 3, policy: { kind: "linear", delay_ms: 5_000 } },
    }),
    start("a"),
    ["dispatcher_stats", {}, returns({ in_flight: 1, retry_queue_depth: 1 })],
    cancel,
    wait("a", cancelled(1, "retry wait")),
    ["drain_dispatcher", { timeout_ms: 1_000 }, returns({ drained: true, in_flight: 0, retry_queue_depth: 0 })],
  ],
  "[T-16.2] S26 S27 two who ask get one owner, and a late acknowledgement counts": [
    queued("a"),
    claimed("one", 1_000),
    ["claim_job", { queue: "q", consumer_id: "two", ttl_ms: 1_000 }, returns(null)],
    after(1_000),
    ["claim_job", { queue: "q", consumer_id: "two", ttl_ms: 1_000 }, returns({ handle: { consumer_id: "two" } })],
    ["ack_claim", { handle: { $ref: "one.handle" } }],
    ["queue_state", { queue: "q" }, returns({ summary: { acked: 1, in_flight: 0, ready: 0 } })],
  ],
  "[T-16.3] S28 purging takes what is ready alone": [
    queued("a"),
    queued("b"),
    queued("c"),
    claimed("one", 1_000),
    ["purge_queue", { queue: "q", purged_by: "me" }, returns({ purged: 2 })],
    ["queue_state", { queue: "q" }, returns({ summary: { in_flight: 1, purged: 2, ready: 0 } })],
  ],
  "[T-17] S29 shares of three to one": [
    [
      "scheduler_run",
      {
        policy: { strategy: "drr", weights: { a: 3, b: 1 } },
        jobs: Array.from({ length: 30 }, (_, at) => ({
          job_event_id: at + 1,
          tenant: at % 2 === 0 ? "a" : "b",
          enqueued_at_ms: at,
        })),
        now_ms: 100,
        times: 12,
        remove_selected: true,
      },
      returns({ keys: ["a", "b", "a", "a", "b", "a", "a", "a", "b", "a", "a", "a"], rounds_completed: 3 }),
    ],
  ],
  "[T-18] S32 a crash between a tick and its place repeats nothing": [
    ["set_clock", { at: "2026-04-19T10:00:30Z" }],
    ["cron_put_state", { id: "c", last_fired_at: "2026-04-19T10:00:00Z" }],
    TICKS,
    ["cron_fault_after_emit"],
    after(30_000),
    ["restart"],
    TICKS,
    ["cron_events", {}, returns([{ dedupe_key: "cron:c:1776592860" }])],
    ["cron_state", { id: "c" }, returns({ last_fired_at: "2026-04-19T10:01:00Z" })],
    after(60_000),
    ["cron_events", {}, returns({ $len: 2 })],
  ],
};

const vectorOf = (title: string, steps: readonly Step[]) => {
  const labelled = steps.map(([op, args = {}, expected], at) => ({ label: `s${at + 1}`, op, args, expected }));
  const expectations = labelled.flatMap(({ label, expected }) =>
    expected === undefined ? [] : [[label, expected] as const],
  );
  return parseVector(
    JSON.stringify({
      id: title,
      title,
      strength: "must",
      given: {},
      when: labelled.map(({ label, op, args }) => ({ label, op, ...args })),
      expect: { steps: Object.fromEntries(expectations) },
    }),
  );
};

it.each(Object.entries(SCENARIOS))("%s", async (title, steps) => {
  const { differences } = await runVector(vectorOf(title, steps), OPERATIONS);
  expect(differences).toEqual([]);
});
