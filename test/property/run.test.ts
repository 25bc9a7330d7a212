import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold } from "../../src/engine/machine.ts";
import type { RunCommand } from "../../src/engine/run/command.ts";
import type { RunEvent } from "../../src/engine/run/event.ts";
import { evolve } from "../../src/engine/run/evolve.ts";
import { runMachine } from "../../src/engine/run/machine.ts";
import { projectRun } from "../../src/engine/run/project.ts";
import { isTerminal, type RunState } from "../../src/engine/run/state.ts";
import { Random } from "../support/random.ts";
import { counting, createRun } from "../support/run-fixture.ts";
import { randomGraph, randomResult } from "../sim/graph.ts";

const OPERATIONS = [
  "advance",
  "advance",
  "complete",
  "complete",
  "complete",
  "complete",
  "late_complete",
  "by_hand",
  "prepare",
  "transition",
  "finalize",
  "pause",
  "resume",
  "cancel",
  "wake",
  "time",
] as const;

const operations = fc.array(fc.record({ name: fc.constantFrom(...OPERATIONS), flag: fc.boolean(), n: fc.nat(1_000) }), {
  maxLength: 60,
});

type Operation = { readonly name: (typeof OPERATIONS)[number]; readonly flag: boolean; readonly n: number };

const script = fc.record({ seed: fc.nat(1_000_000), drive: fc.constantFrom("auto", "manual"), operations });

type Script = { readonly seed: number; readonly drive: string; readonly operations: readonly Operation[] };

/** What an operation means for a run that stands where this one does; null when it means nothing. */
const commandFor = (state: RunState, { name, flag, n }: Operation, tokens: readonly string[]): RunCommand | null => {
  if (state === null) return null;
  const result = randomResult(new Random(n));
  const current = state.open[0]?.attempt_token ?? "none";
  const node = state.open[0]?.node_id ?? state.ready[0] ?? "n0";
  switch (name) {
    case "advance":
      return {
        type: "advance",
        live_attempts: flag ? state.open.map((unit) => unit.attempt_token) : [],
        ...(n % 3 === 0 ? { holder: "caller" as const } : {}),
      };
    case "complete":
      return {
        type: "advance",
        live_attempts: flag ? state.open.map((unit) => unit.attempt_token) : [],
        complete: { attempt_token: current, result },
      };
    case "late_complete":
      return {
        type: "advance",
        live_attempts: flag ? state.open.map((unit) => unit.attempt_token) : [],
        report: flag,
        complete: { attempt_token: tokens[n % Math.max(tokens.length, 1)] ?? "none", result },
      };
    case "by_hand":
      return { type: "complete_stage", node_id: node, attempt_token: flag ? current : null, result };
    case "prepare":
      return {
        type: "prepare_stage",
        node_id: node,
        live_attempts: flag ? state.open.map((unit) => unit.attempt_token) : [],
      };
    case "transition":
      return state.untransitioned === null
        ? null
        : { type: "record_transitions", stage: state.untransitioned, edges: state.graph.edges.slice(0, n % 3) };
    case "finalize":
      return { type: "finalize_run" };
    case "pause":
      return { type: "pause_run" };
    case "resume":
      return { type: "resume_run", ...(flag ? { max_steps: 1 + (n % 9) } : {}) };
    case "cancel":
      return n % 5 === 0 ? { type: "cancel_run" } : null;
    case "wake":
      return { type: "wake", live_attempts: flag ? state.open.map((unit) => unit.attempt_token) : [] };
    case "time":
      return null;
  }
};

interface Step {
  readonly before: RunState;
  readonly command: RunCommand;
  readonly after: RunState;
  readonly events: readonly RunEvent[];
}

/** Plays a script on the machine; checks on the way what holds for every single decision. */
const play = ({ seed, drive, operations: list }: Script): readonly Step[] => {
  const random = new Random(seed);
  const clock = counting();
  const create = createRun(randomGraph(random), {
    drive: drive === "auto" ? "auto" : "manual",
    options: { max_steps: random.int(1, 12) },
    start: random.chance(0.5),
  });
  const steps: Step[] = [];
  const tokens: string[] = [];
  let state: RunState = null;
  for (const operation of [null, ...list]) {
    if (operation?.name === "time") clock.now += operation.n * 10;
    const command: RunCommand | null = operation === null ? create : commandFor(state, operation, tokens);
    if (command === null) continue;
    const before = JSON.stringify(state);
    // The same context twice: the second decision is thrown away.
    const decide = (run: RunState): ReturnType<typeof runMachine.decide> => {
      const { nextId } = counting();
      return runMachine.decide(run, command, {
        now: clock.now,
        nextId: (prefix) => `${nextId(prefix)}.${steps.length}`,
      });
    };
    const first = decide(state);
    const again = decide(state);
    expect(JSON.stringify(again)).toBe(JSON.stringify(first));
    expect(JSON.stringify(state)).toBe(before);
    if (!first.ok) continue;
    const after: RunState = fold(runMachine, state, first.events);
    if (first.state !== undefined) expect(JSON.stringify(after)).toBe(JSON.stringify(first.state));
    steps.push({ before: state, command, after, events: first.events });
    state = after;
    const token = state?.open[0]?.attempt_token;
    if (token !== undefined) tokens.push(token);
  }
  return steps;
};

const journalOf = (steps: readonly Step[]): readonly RunEvent[] => steps.flatMap(({ events }) => events);

describe("a run, whatever it is told", () => {
  it("[I2] decides deterministically, and its state is the fold of its events", () => {
    fc.assert(
      fc.property(script, (input) => {
        play(input);
      }),
      { numRuns: 150 },
    );
  });

  it("[I2] its journal says the same after a way through JSON", () => {
    fc.assert(
      fc.property(script, (input) => {
        const steps = play(input);
        const journal = JSON.parse(JSON.stringify(journalOf(steps))) as readonly RunEvent[];
        expect(JSON.stringify(fold(runMachine, runMachine.initial, journal))).toBe(
          JSON.stringify(steps.at(-1)?.after ?? null),
        );
      }),
      { numRuns: 100 },
    );
  });

  it("[W-5] never queues a node twice and never takes more steps than it has", () => {
    let most = 0;
    fc.assert(
      fc.property(script, (input) => {
        let run: RunState = null;
        for (const event of journalOf(play(input))) {
          run = evolve(run, event);
          if (run === null) continue;
          expect(new Set(run.ready).size).toBe(run.ready.length);
          expect(run.steps).toBeLessThanOrEqual(run.max_steps);
          most = Math.max(most, run.stage_count);
        }
      }),
      { numRuns: 150 },
    );
    expect(most).toBeGreaterThan(5);
  });

  it("[I6] nothing happens any more once it has ended", () => {
    let ended = 0;
    fc.assert(
      fc.property(script, (input) => {
        for (const { before, after, events } of play(input)) {
          if (before === null || !isTerminal(before.status)) continue;
          ended += 1;
          expect(events).toEqual([]);
          expect(after).toBe(before);
        }
      }),
      { numRuns: 150 },
    );
    expect(ended).toBeGreaterThan(0);
  });

  it("[I6] completes a stage once, by the attempt that holds it", () => {
    fc.assert(
      fc.property(script, (input) => {
        const done = new Set<string>();
        let run: RunState = null;
        for (const event of journalOf(play(input))) {
          if (event.type === "stage_completed") {
            expect(run?.open.map((unit) => unit.stage_id)).toContain(event.stage_id);
            expect(done.has(event.stage_id)).toBe(false);
            done.add(event.stage_id);
          }
          run = evolve(run, event);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("[architecture 1] folds any event into any state without throwing, also one of a later version", () => {
    fc.assert(
      fc.property(script, script, (one, other) => {
        const states = [null, ...play(one).map(({ after }) => after)];
        const later = { v: 2, at: "2030-01-01T00:00:00.000Z", type: "of_a_later_version" } as unknown as RunEvent;
        for (const event of [...journalOf(play(other)), later])
          for (const state of states.slice(-5)) expect(JSON.stringify(evolve(state, event))).toBeTypeOf("string");
        const last = states.at(-1) ?? null;
        if (last !== null) expect(evolve(last, later)).toEqual({ ...last, updated_at: later.at });
      }),
      { numRuns: 40 },
    );
  });

  it("[W-1.16] its record has one stage for each completion and its attempts numbered without a gap", () => {
    fc.assert(
      fc.property(script, (input) => {
        const steps = play(input);
        const entries = steps.map(({ events }, index) => ({ seq: index + 1, at_ms: 0, events }));
        const record = projectRun(entries, counting());
        const completions = journalOf(steps).filter(({ type }) => type === "stage_completed");
        expect(record?.stages.length ?? 0).toBe(completions.length);
        for (const { attempts } of record?.stages ?? [])
          expect(attempts.map(({ attempt }) => attempt)).toEqual(attempts.map((_, index) => index + 1));
      }),
      { numRuns: 60 },
    );
  });
});
