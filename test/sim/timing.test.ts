import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/lib/json.ts";
import type { FaultName } from "./faults.ts";
import { ORDERED_GRAPH } from "./graph.ts";
import { keyedResults } from "./keyed-results.ts";
import { simulate } from "./simulate.ts";
import type { World } from "./world.ts";

const RUNS = Number(process.env["SIM_TIMING_RUNS"] ?? 15);

/** What somebody wants of a run, or hands in besides the drivers, is no timing. */
const WITHOUT = new Set<FaultName>(["pause", "cancel", "late_completion", "signal", "receive"]);

/** What must not depend on timing: what was done in which order, and what came of it. */
const storyOf = (world: World): JsonObject => {
  const { state } = world.checker;
  const artifacts = state?.artifacts.toArray() ?? [];
  const places = new Map(artifacts.map(({ id }, place) => [id, place]));
  return {
    status: state?.status ?? null,
    ready: [...(state?.ready ?? [])],
    recorded: world.checker.units.story.map((told) => [...told]),
    // What an artifact was made from is what its stage has seen.
    artifacts: artifacts.map(({ kind, source = null, text = null, data = null, lineage }) => ({
      kind,
      source,
      text,
      data,
      lineage: lineage.map((id) => places.get(id) ?? null),
    })),
  };
};

describe("a run that goes on in parallel", () => {
  it(
    "[W-5] has a record that does not depend on who is how fast, nor on what goes wrong",
    async () => {
      let compared = 0;
      let parallel = 0;
      for (let run = 1; run <= RUNS; run++) {
        const stories: JsonObject[] = [];
        for (const seed of [run, run + 10_000, run + 20_000]) {
          const { world, violation } = await simulate(seed, {
            run_seed: run,
            traits: ORDERED_GRAPH,
            without: WITHOUT,
            arrange: keyedResults(run),
          });
          expect(violation, `run ${run}, seed ${seed}`).toBeNull();
          // A stage that was given up because its drivers were lost is what went wrong itself.
          if (!world.checker.units.gaveUp) stories.push(storyOf(world));
          if (world.counters.deferred > 0) parallel += 1;
        }
        const [first, ...others] = stories;
        for (const other of others) expect(other, `run ${run}`).toEqual(first);
        compared += others.length;
      }
      expect(compared).toBeGreaterThan(RUNS);
      expect(parallel).toBeGreaterThan(RUNS / 2);
    },
    60_000 + RUNS * 6_000,
  );
});
