import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold } from "../../src/engine/machine.ts";
import type { RunCommand } from "../../src/engine/run/command.ts";
import type { RunEvent } from "../../src/engine/run/event.ts";
import { evolve } from "../../src/engine/run/evolve.ts";
import { runMachine } from "../../src/engine/run/machine.ts";
import { branchesOf, isParked } from "../../src/engine/run/open.ts";
import { projectRun } from "../../src/engine/run/project.ts";
import { canGoOn } from "../../src/engine/run/schedule.ts";
import { isTerminal, type Run, type RunState } from "../../src/engine/run/state.ts";
import { needsDriver, nextWake } from "../../src/engine/run/wake.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { randomResult } from "../sim/graph.ts";
import { Random } from "../support/random.ts";
import { openGraph } from "../support/open-graph.ts";
import { counting, createRun } from "../support/run-fixture.ts";

const OPERATIONS = [
  ...Array.from({ length: 5 }, () => "take" as const),
  ...Array.from({ length: 6 }, () => "complete" as const),
  "late_complete",
  "lose",
  "lose",
  "take_by_hand",
  "by_hand",
  "step",
  "park",
  "answer",
  "hear",
  "pause",
  "resume",
  "resume",
  "cancel",
  "wake",
  "time",
] as const;

type Name = (typeof OPERATIONS)[number];

const script = fc.record({
  seed: fc.nat(1_000_000),
  parallel: fc.constantFrom(1, 2, 3, 8),
  operations: fc.array(fc.record({ name: fc.constantFrom(...OPERATIONS), n: fc.nat(1_000) }), {
    minLength: 20,
    maxLength: 80,
    size: "max",
  }),
});

type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;

const pendingCall = (n: number): JsonObject => ({
  call_id: `c${n % 3}`,
  tool_name: "ask",
  arguments: {},
  reason: n % 2 === 0 ? "client_tool" : "approval",
  iteration: 1,
});

interface Told {
  readonly state: Run;
  readonly n: number;
  /** Attempts that were open at any time. */
  readonly tokens: readonly string[];
}

/** What an operation means for a run that stands where this one does; null when it means nothing. */
const COMMANDS: Readonly<Record<Exclude<Name, "time">, (told: Told) => RunCommand | null>> = {
  take: ({ state }) => ({ type: "advance", live_attempts: state.open.map((unit) => unit.attempt_token) }),
  lose: ({ state, n }) => ({
    type: "advance",
    live_attempts: state.open.filter((_, at) => at !== n % state.open.length).map((unit) => unit.attempt_token),
  }),
  complete: ({ state, n }) => ({
    type: "advance",
    live_attempts: state.open.map((unit) => unit.attempt_token),
    complete: {
      attempt_token: state.open[n % Math.max(state.open.length, 1)]?.attempt_token ?? "none",
      result: randomResult(new Random(n)),
    },
  }),
  late_complete: ({ tokens, n }) => ({
    type: "advance",
    live_attempts: [],
    complete: { attempt_token: tokens[n % Math.max(tokens.length, 1)] ?? "none", result: randomResult(new Random(n)) },
  }),
  take_by_hand: ({ state, n }) => ({
    type: "prepare_stage",
    node_id: state.open[n % Math.max(state.open.length, 1)]?.node_id ?? "n0",
    live_attempts: [],
  }),
  by_hand: ({ state, n }) => ({
    type: "complete_stage",
    node_id: state.open[n % Math.max(state.open.length, 1)]?.node_id ?? "n0",
    attempt_token: n % 2 === 0 ? null : (state.open[n % Math.max(state.open.length, 1)]?.attempt_token ?? "none"),
    result: randomResult(new Random(n)),
  }),
  step: ({ state, n }) => {
    const unit = state.open.find((open) => open.loop !== null);
    if (unit === undefined) return null;
    const number = Math.max(0, (unit.loop?.steps ?? 0) - (n % 3 === 0 ? 1 : 0));
    const messages = [{ role: "assistant", content: `said ${n}` }];
    return { type: "record_step", attempt_token: unit.attempt_token, number, step: { iteration: 1, messages } };
  },
  park: ({ state, n }) => {
    const unit = state.open.find((open) => open.loop !== null);
    const result = {
      __workflow_stage_parked: true,
      pending: [pendingCall(n), ...(n % 4 === 0 ? [pendingCall(n + 1)] : [])],
    };
    return unit === undefined
      ? null
      : { type: "advance", live_attempts: [], complete: { attempt_token: unit.attempt_token, result } };
  },
  answer: ({ state, n }) => {
    const unit = state.open.find((open) => (open.loop?.pending.length ?? 0) > 0);
    const call = unit?.loop?.pending[0];
    if (unit === undefined || call === undefined) return null;
    const answer = call.reason === "approval" ? { approved: n % 2 === 0 } : { result: n };
    return { type: "answer_call", call_id: call.call_id, stage_id: unit.stage_id, answer };
  },
  hear: ({ state, n }) => {
    const unit = state.open.find((open) => open.work.type === "wait");
    const message = { seq: n, kind: "signal", name: "go", request_id: null, payload: n, enqueued_at: "" } as const;
    return unit === undefined ? null : { type: "hear", stage_id: unit.stage_id, message };
  },
  pause: () => ({ type: "pause_run" }),
  resume: () => ({ type: "resume_run" }),
  cancel: ({ n }) => (n % 12 === 0 ? { type: "cancel_run" } : null),
  wake: ({ state, n }) => ({
    type: "wake",
    live_attempts: n % 2 === 0 ? state.open.map((unit) => unit.attempt_token) : [],
  }),
};

interface Played {
  readonly state: RunState;
  readonly events: readonly RunEvent[];
  readonly now: number;
}

/** Plays a script; every decision that was taken is given to `look`. */
const play = (
  { seed, parallel, operations }: Script,
  look: (step: {
    readonly before: Run;
    readonly after: Run;
    readonly events: readonly RunEvent[];
    readonly now: number;
  }) => void = () => {},
): Played => {
  const random = new Random(seed);
  const clock = counting();
  const create = createRun(openGraph(random), {
    options: {
      max_steps: random.int(3, 30),
      max_parallel: parallel,
      ...(random.chance(0.1) ? { deadline: 60_000 } : {}),
    },
  });
  const tokens: string[] = [];
  const events: RunEvent[] = [];
  let state: RunState = null;
  for (const operation of [null, ...operations]) {
    if (operation?.name === "time") clock.now += operation.n * 10;
    const command: RunCommand | null =
      operation === null
        ? create
        : operation.name === "time" || state === null
          ? null
          : COMMANDS[operation.name]({ state, n: operation.n, tokens });
    if (command === null) continue;
    const decision = runMachine.decide(state, command, clock);
    if (!decision.ok) continue;
    const after: RunState = fold(runMachine, state, decision.events);
    expect(JSON.stringify(after)).toBe(JSON.stringify(decision.state));
    if (state !== null && after !== null) look({ before: state, after, events: decision.events, now: clock.now });
    events.push(...decision.events);
    state = after;
    for (const unit of state?.open ?? []) if (!tokens.includes(unit.attempt_token)) tokens.push(unit.attempt_token);
  }
  return { state, events, now: clock.now };
};

const RUNS = { numRuns: 120 } as const;

/** For tests that also say what the scripts have to lead to: the same scripts each time. */
const THE_SAME = { numRuns: 120, seed: 42 } as const;

const byOthers = (run: Run): boolean => run.open.some((unit) => unit.holder === "nobody" || unit.mode === "external");

describe("a run with stages side by side", () => {
  it("[I2] is the fold of its journal, also after a way through JSON", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(script, (input) => {
        const { state, events } = play(input);
        const journal = JSON.parse(JSON.stringify(events)) as readonly RunEvent[];
        expect(JSON.stringify(fold(runMachine, runMachine.initial, journal))).toBe(JSON.stringify(state));
        for (const { type } of events) seen.add(type);
      }),
      THE_SAME,
    );
    // The guard of these tests: what they are about did happen.
    for (const type of [
      "branch_prepared",
      "branch_settled",
      "stage_retired",
      "message_heard",
      "stage_parked",
      "call_answered",
      "attempt_ended",
    ])
      expect(seen).toContain(type);
  });

  it("[W-5] opens no node twice at a time, never more stages than places, never more branches than a map allows, never more steps than it has", () => {
    let most = 0;
    fc.assert(
      fc.property(script, (input) => {
        let run: RunState = null;
        for (const event of play(input).events) {
          run = evolve(run, event);
          if (run === null) continue;
          const ids = run.open.map((unit) => unit.node_id);
          expect(new Set(ids).size).toBe(ids.length);
          expect(new Set(run.open.map((unit) => unit.stage_id)).size).toBe(ids.length);
          const { max_parallel: places } = run;
          const taking = run.open.filter((unit) => unit.branch_of === null && !(places > 1 && isParked(unit)));
          expect(taking.length).toBeLessThanOrEqual(places);
          expect(run.steps).toBeLessThanOrEqual(run.max_steps);
          for (const unit of run.open)
            if (unit.work.type === "map")
              expect(branchesOf(run, unit.stage_id).length).toBeLessThanOrEqual(unit.work.map.concurrency);
          most = Math.max(most, taking.length);
        }
      }),
      THE_SAME,
    );
    expect(most).toBeGreaterThan(2);
  });

  it("[I6] records a stage once, in the order of preparation but for those that waited for the outside", () => {
    fc.assert(
      fc.property(script, (input) => {
        const { events } = play(input);
        const record = projectRun([{ seq: 1, at_ms: 0, events }], counting());
        const prepared = events.flatMap((event) => (event.type === "stage_prepared" ? [event] : []));
        const ids = record?.stages.map(({ id }) => id) ?? [];
        expect(new Set(ids).size).toBe(ids.length);
        const parallel = input.parallel > 1;
        const outside = new Set(
          prepared.flatMap(({ mode, stage_id }) =>
            parallel && ["external", "sleep", "wait"].includes(mode) ? [stage_id] : [],
          ),
        );
        const order = prepared.map(({ stage_id }) => stage_id);
        const inside = ids.filter((id) => !outside.has(id));
        expect(inside).toEqual(order.filter((id) => inside.includes(id)));
      }),
      RUNS,
    );
  });

  it("[W-4.7] follows the edges of every stage in its record, each once", () => {
    fc.assert(
      fc.property(script, (input) => {
        const { events, state } = play(input);
        const recorded = projectRun([{ seq: 1, at_ms: 0, events }], counting())?.stages.map(({ id }) => id) ?? [];
        const followed = events.flatMap((event) => (event.type === "transitions_recorded" ? [event.stage_id] : []));
        const waiting = state?.untransitioned == null ? [] : [state.untransitioned.stage_id];
        expect([...followed, ...waiting]).toEqual(recorded);
      }),
      RUNS,
    );
  });

  it("[W-4.8] lists in its last checkpoint all that is still to be done", () => {
    fc.assert(
      fc.property(script, (input) => {
        let run: RunState = null;
        const events: RunEvent[] = [];
        for (const event of play(input).events) {
          run = evolve(run, event);
          events.push(event);
          if (event.type !== "checkpoint_taken" || run === null) continue;
          const open = run.open.filter((unit) => unit.branch_of === null).map((unit) => unit.node_id);
          const record = projectRun([{ seq: 1, at_ms: 0, events }], counting());
          expect(record?.pending_nodes).toEqual([...open, ...run.ready]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("[I6] nothing happens any more once it has ended", () => {
    let ended = 0;
    fc.assert(
      fc.property(script, (input) => {
        play(input, ({ before, after, events }) => {
          if (!isTerminal(before.status)) return;
          ended += 1;
          expect(events).toEqual([]);
          expect(JSON.stringify(after)).toBe(JSON.stringify(before));
        });
      }),
      THE_SAME,
    );
    expect(ended).toBeGreaterThan(0);
  });

  it("[I7] while it is running somebody outside has to act, or its alarm is set", () => {
    fc.assert(
      fc.property(script, (input) => {
        play(input, ({ after, now }) => {
          if (after.status !== "running") return;
          const wake = nextWake(after, () => 0, now + 1);
          const isDone = after.open.some(
            ({ work, map, settled }) =>
              settled === null && work.type === "map" && map !== null && map.settled.length >= work.map.target,
          );
          if (isDone || after.untransitioned !== null || canGoOn(after)) expect(wake).not.toBeNull();
          expect(wake !== null || byOthers(after)).toBe(true);
          // With every attempt lost and no wait left, a driver is ordered.
          if (wake === null) expect(needsDriver(after, [], now + 1)).toBe(false);
        });
      }),
      RUNS,
    );
  });

  it("[I7] driven without faults it comes to an end, whatever happened before", () => {
    let completed = 0;
    fc.assert(
      fc.property(script, (input) => {
        const played = play(input);
        let state = played.state;
        if (state === null) return;
        const context = { now: played.now, nextId: (prefix: string) => `${prefix}#${(made += 1)}` };
        let made = 0;
        const tell = (command: RunCommand): ReturnType<typeof runMachine.decide> => {
          const decision = runMachine.decide(state, command, context);
          if (decision.ok) state = fold(runMachine, state, decision.events);
          return decision;
        };
        tell({ type: "resume_run" });
        for (let turn = 0; turn < 2_000 && state.status === "running"; turn++) {
          const decision = tell({ type: "advance", live_attempts: [] });
          const reply = decision.ok && decision.reply.type === "advance" ? decision.reply.advance : null;
          if (reply?.next != null)
            tell({
              type: "advance",
              live_attempts: [],
              complete: { attempt_token: reply.next.attempt_token, result: { text: "ok" } },
            });
          else if (reply?.more !== true) outsideActs(state, tell);
          context.now += 30_000;
        }
        expect(state.status).not.toBe("running");
        completed += state.status === "completed" ? 1 : 0;
      }),
      THE_SAME,
    );
    expect(completed).toBeGreaterThan(0);
  });
});

/** Whoever a run may wait for does what is asked: callers complete, people answer, somebody sends the message. */
const outsideActs = (run: Run, tell: (command: RunCommand) => unknown): void => {
  for (const unit of run.open) {
    if (unit.settled !== null) continue;
    const { stage_id, node_id } = unit;
    const [call] = unit.loop?.pending ?? [];
    if (call !== undefined)
      tell({
        type: "answer_call",
        stage_id,
        call_id: call.call_id,
        answer: call.reason === "approval" ? { approved: true } : { result: 1 },
      });
    else if (unit.work.type === "wait") {
      const message = { seq: 1, kind: "signal", name: "go", request_id: null, payload: 1, enqueued_at: "" } as const;
      tell({ type: "hear", stage_id, message });
    } else if (unit.mode === "external")
      tell({ type: "complete_stage", node_id, attempt_token: null, result: { text: "ok" } });
  }
};
