import type { JsonObject } from "../../src/lib/json.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import { Random } from "../support/random.ts";
import { randomResult } from "./graph.ts";
import type { WatchedRun } from "./watched-run.ts";
import type { World } from "./world.ts";

/** Results that follow from node, visit and failures alone, whoever executes a stage, when, how often and in which run. */
export const keyedResults =
  (seed: number) =>
  (world: World): void => {
    world.resultOf = ({ node_id, stage_id }: StagePlan, { checker }: WatchedRun): JsonObject => {
      const units = checker.state?.open ?? [];
      const unit = units.find((open) => open.stage_id === stage_id);
      const map = units.find((open) => open.stage_id === unit?.branch_of?.map_stage_id);
      const failures = unit?.ended_attempts.filter(({ outcome }) => outcome === "error").length ?? 0;
      const visit = checker.visits(map?.node_id ?? node_id);
      return randomResult(Random.named(seed, `${node_id} ${visit} ${failures}`));
    };
  };
