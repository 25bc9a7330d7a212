import type { Random } from "../../support/random.ts";
import type { WatchedRun } from "./watched-run.ts";

/** Every tool of a world. */
export const TOOLS = ["read", "write", "search", "send"] as const;

/** Some of the tools, never none. */
export const someTools = (random: Random): readonly string[] => {
  const some = TOOLS.filter(() => random.chance(0.6));
  return some.length === 0 ? [random.pick(TOOLS)] : some;
};

const meet = (one: readonly string[], ceiling: readonly string[] | null): readonly string[] =>
  ceiling === null ? one : one.filter((tool) => ceiling.includes(tool));

/** The tools that everybody allows from a run up to the root of its tree. */
export const allowedTools = (run: WatchedRun): readonly string[] => {
  const { world } = run;
  let allowed = meet(TOOLS, run.ceiling);
  let at: WatchedRun | null = run;
  while (at !== null) {
    const to: unknown = at.state?.report_to ?? null;
    const workerId = (to as { readonly worker_id?: string } | null)?.worker_id;
    if (workerId === undefined) return allowed;
    let worker = world.worker(workerId);
    allowed = meet(allowed, worker.ceiling);
    // A worker that another one asked for is a branch of that one's tree.
    for (let parent = worker.state?.parent_worker_id ?? null; worker.state?.parent === null && parent !== null;) {
      worker = world.worker(parent);
      allowed = meet(allowed, worker.ceiling);
      parent = worker.state?.parent_worker_id ?? null;
    }
    const stage = worker.state?.parent ?? null;
    at = stage === null ? null : world.run(stage.run_id);
    allowed = meet(allowed, at?.ceiling ?? null);
  }
  return allowed;
};
