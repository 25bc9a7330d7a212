import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RunCommand } from "../../src/engine/run/command.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import { Random } from "../support/random.ts";
import { advance, complete, failure, fn, recordOf, runOf, runOfNode, says } from "../support/run-steps.ts";
import { accepted, type RunFixture } from "../support/run-fixture.ts";

type Outcome = "good" | "bad" | "flaky" | "unfit";

const outcomes = fc.array(fc.constantFrom<Outcome>("good", "good", "good", "bad", "flaky", "unfit"), {
  minLength: 1,
  maxLength: 12,
});

const mapOf = (branches: readonly Outcome[], more: JsonObject = {}): JsonObject => ({
  ...fn({ input: "{{input.data.value}}", retry_policy: { max_attempts: 2, backoff_ms: 0 }, ...more }),
  kind: "map",
  map_policy: {
    items: branches.map((outcome, index) => (outcome === "unfit" ? { index } : { value: index })),
    max_concurrent: 5,
  },
});

const resultOf = (branches: readonly Outcome[], plan: StagePlan): JsonObject => {
  const index = Number(plan.node_id.split("_").at(-1)) - 1;
  const outcome = branches[index];
  if (outcome === "good" || plan.attempt > 1) return says(`r${index}`);
  return outcome === "flaky"
    ? failure(`Error [timeout]: ${index}`, { retryable: true })
    : failure(`Error [auth]: ${index}`);
};

/** Several drivers work through a map in an order of their own; some are lost on the way. */
const workThrough = (
  { shell, clock }: RunFixture,
  branches: readonly Outcome[],
  { seed, held = [] }: { readonly seed: number; readonly held?: StagePlan[] },
): void => {
  const random = new Random(seed);
  for (let turn = 0; turn < 500 && shell.state?.status === "running"; turn++) {
    if (held.length === 0 || random.chance(0.5)) {
      const { next } = advance(shell);
      if (next !== null) held.push(next);
    }
    if (held.length === 0) continue;
    const [plan] = held.splice(random.int(0, held.length - 1), 1) as [StagePlan];
    const isWanted = shell.state.open.some((unit) => unit.attempt_token === plan.attempt_token);
    if (!isWanted) {
      // Its map has ended without it.
      const late = { attempt_token: plan.attempt_token, result: says("late") };
      expect(shell.execute({ type: "advance", live_attempts: [], complete: late })).toMatchObject({ ok: false });
    } else if (random.chance(0.1) && plan.attempt === 1) {
      const alive = held.map((other) => other.attempt_token);
      const { next } = advance(shell, { live_attempts: alive });
      if (next !== null) held.push(next);
      // The lost one says something after all.
      const late: RunCommand = {
        type: "advance",
        live_attempts: alive,
        complete: { attempt_token: plan.attempt_token, result: says("late") },
      };
      expect(shell.execute(late)).toMatchObject({ ok: false });
    } else {
      const { next } = complete(shell, plan, resultOf(branches, plan));
      if (next !== null) held.push(next);
    }
    clock.now += random.int(0, 5);
  }
};

/** What a map came to, without ids and times. */
const shape = (fixture: RunFixture): object => {
  const { stages, artifacts, usage, transitions } = recordOf(fixture.shell);
  return {
    stages: stages.map(({ node_id, status, outcome, branch, visible_text }) => [
      node_id,
      status,
      outcome,
      branch,
      visible_text,
    ]),
    texts: artifacts.map(({ text }) => text),
    usage,
    transitions: transitions.map(({ to_node_id, branch }) => [to_node_id, branch]),
  };
};

const countsOf = (fixture: RunFixture): Readonly<Record<string, unknown>> =>
  recordOf(fixture.shell).stages[0]?.metadata["map"] as Readonly<Record<string, unknown>>;

describe("a map, whoever works on it in whatever order", () => {
  it("[W-6.6] comes to what its branches came to, and to nothing else", () => {
    fc.assert(
      fc.property(outcomes, fc.nat(1_000_000), fc.nat(1_000_000), (branches, one, other) => {
        // A lost attempt makes the next one the second: only outcomes that do not depend on it are compared.
        const steady = branches.map((outcome) => (outcome === "bad" ? "unfit" : outcome));
        const ends = [one, other].map((seed) => {
          const fixture = runOfNode(mapOf(steady));
          workThrough(fixture, steady, { seed });
          expect(fixture.shell.state?.status).toBe("completed");
          return fixture;
        });
        expect(shape(ends[0] as RunFixture)).toEqual(shape(ends[1] as RunFixture));
        const good = steady.filter((outcome) => outcome !== "unfit").length;
        expect(recordOf((ends[0] as RunFixture).shell).artifacts).toHaveLength(good);
        expect(recordOf((ends[0] as RunFixture).shell).stages[0]?.branch).toBe(good === 0 ? "failed" : "mapped");
      }),
      { numRuns: 80 },
    );
  });

  it("[W-6.6] settles as many branches as its strategy waits for, and accounts for each that was started", () => {
    const strategies = fc.record({
      strategy: fc.constantFrom("all", "first", "quorum"),
      min_completed: fc.integer({ min: 0, max: 15 }),
    });
    fc.assert(
      fc.property(outcomes, strategies, fc.nat(1_000_000), (branches, join, seed) => {
        const fixture = runOfNode(mapOf(branches, { join_policy: join }));
        workThrough(fixture, branches, { seed });
        const total = branches.length;
        const wanted = { all: total, first: 1, quorum: Math.min(Math.max(join.min_completed, 1), total) }[
          join.strategy
        ] as number;
        const counts = countsOf(fixture);
        const cancelled = counts["cancelled"] as readonly number[];
        expect(counts["settled"]).toBe(wanted);
        expect(counts["total"]).toBe(total);
        expect(counts["started"]).toBe(wanted + cancelled.length);
        expect(fixture.shell.state?.open).toEqual([]);
        expect(recordOf(fixture.shell).artifacts.length).toBeLessThanOrEqual(wanted);
      }),
      { numRuns: 120 },
    );
  });

  it("[I2] loses nothing of it when its object is loaded anew in the middle", () => {
    fc.assert(
      fc.property(outcomes, fc.nat(1_000_000), fc.nat(12), (branches, seed, settledFirst) => {
        const fixture = runOfNode(mapOf(branches));
        let { next } = advance(fixture.shell);
        for (let done = 0; done < settledFirst && next !== null; done++)
          ({ next } = complete(fixture.shell, next, resultOf(branches, next)));
        const settledBefore = JSON.stringify(fixture.shell.state?.open.map((unit) => unit.map?.settled ?? null));
        const reloaded = fixture.reload();
        expect(JSON.stringify(reloaded.state?.open.map((unit) => unit.map?.settled ?? null))).toBe(settledBefore);
        const before = reloaded.entries().length;
        workThrough({ ...fixture, shell: reloaded }, branches, { seed, held: next === null ? [] : [next] });
        expect(reloaded.state?.status).toBe("completed");
        const settled = (from: number, to?: number): readonly number[] =>
          reloaded
            .entries()
            .slice(from, to)
            .flatMap(({ events }) => events.flatMap((event) => (event.type === "branch_settled" ? [event.index] : [])));
        const all = settled(0);
        expect(new Set(all).size).toBe(all.length);
        for (const index of settled(0, before)) expect(settled(before)).not.toContain(index);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a join", () => {
  it("[W-5.2] is opened after all its inputs are recorded, whoever was faster, and once", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 2, max: 4 }),
        fc.nat(1_000_000),
        (width, places, seed) => {
          const random = new Random(seed);
          const arms = Array.from({ length: width }, (_, index) => `a${index}`);
          const { shell } = runOf(
            {
              entry: "f",
              nodes: {
                f: { kind: "fork" },
                j: { kind: "join" },
                r: fn(),
                ...Object.fromEntries(arms.map((id) => [id, fn()])),
              },
              edges: [
                ...arms.flatMap((id) => [
                  { from: "f", to: id },
                  { from: id, to: "j" },
                ]),
                { from: "j", to: "r" },
              ],
            },
            { options: { max_parallel: places } },
          );
          const held: StagePlan[] = [];
          for (let turn = 0; turn < 200 && shell.state?.status === "running"; turn++) {
            const { next } = advance(shell);
            if (next !== null) held.push(next);
            if (held.length === 0 || (next !== null && random.chance(0.6))) continue;
            const [plan] = held.splice(random.int(0, held.length - 1), 1) as [StagePlan];
            const reply = complete(shell, plan, says(plan.node_id));
            if (reply.next !== null) held.push(reply.next);
          }
          expect(recordOf(shell).stages.map(({ node_id }) => node_id)).toEqual(["f", ...arms, "j", "r"]);
          expect(shell.state).toMatchObject({ status: "completed", steps: width + 3 });
          accepted(shell, { type: "wake", live_attempts: [] });
        },
      ),
      { numRuns: 60 },
    );
  });
});
