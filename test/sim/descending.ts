import type { Descent } from "./descend.ts";
import type { FaultName } from "./faults.ts";
import { forkFirst } from "./forker.ts";
import { ANY_GRAPH, ORDERED_GRAPH } from "./graph.ts";
import { keyedResults } from "./keyed-results.ts";
import { replayFirst } from "./replayer.ts";
import type { SimulateOptions } from "./simulate.ts";
import type { World } from "./world.ts";

/** What somebody wants of a run, or hands in besides the drivers, changes what it comes to. */
const WANTED = new Set<FaultName>(["pause", "cancel", "late_completion", "signal", "receive"]);

const begin = (world: World, descent: Descent): void => {
  world.expected = 2;
  forkFirst(world, descent).catch(world.stray);
  replayFirst(world, descent).catch(world.stray);
};

/** A world in which the first run is forked and replayed; in every other one nothing but the graph decides. */
export const descending = (seed: number, seen: Descent["seen"] = () => {}): SimulateOptions => {
  const isOrdered = seed % 2 === 0;
  const descent: Descent = { seed, is_ordered: isOrdered, seen };
  return {
    traits: isOrdered ? ORDERED_GRAPH : { ...ANY_GRAPH, deadlines: seed % 4 === 1 ? 0.7 : 0.1 },
    without: isOrdered ? WANTED : new Set(),
    arrange: (world) => {
      if (isOrdered) keyedResults(seed)(world);
      begin(world, descent);
    },
  };
};
