import type { Descent } from "./descend.ts";
import type { FaultName } from "./faults.ts";
import { forkFirst } from "./forker.ts";
import { ANY_GRAPH, BLIND_GRAPH, type GraphTraits, ORDERED_GRAPH, WAITING_GRAPH } from "./graph.ts";
import { keyedResults } from "./keyed-results.ts";
import { replayFirst } from "./replayer.ts";
import type { SimulateOptions } from "./simulate.ts";
import type { World } from "./world.ts";

/** What somebody wants of a run, or hands in besides the drivers, changes what it comes to. */
const WANTED = new Set<FaultName>(["pause", "cancel", "late_completion", "signal", "receive"]);

/** Graphs by seed; those of even seeds do not depend on time. */
const TRAITS: readonly GraphTraits[] = [ORDERED_GRAPH, { ...WAITING_GRAPH, deadlines: 0.9 }, BLIND_GRAPH, ANY_GRAPH];

const begin = (world: World, descent: Descent): void => {
  world.expected = 2;
  forkFirst(world, descent).catch(world.stray);
  replayFirst(world, descent).catch(world.stray);
};

/** A world in which the first run is forked and replayed; in every other one nothing but the graph decides. */
export const descending = (seed: number, seen: Descent["seen"] = () => {}): SimulateOptions => {
  const isOrdered = seed % 2 === 0;
  const descent: Descent = { seed, is_ordered: isOrdered, is_late: seed % 8 === 1, seen };
  return {
    traits: TRAITS[seed % TRAITS.length] as GraphTraits,
    without: isOrdered ? WANTED : new Set(),
    arrange: (world) => {
      if (isOrdered) keyedResults(seed)(world);
      begin(world, descent);
    },
  };
};
