import type { CreateRun, RunOptions } from "../engine/run/command.ts";
import type { DecodedGraph } from "../schema/graph.ts";
import { assetsFor } from "./asset-rows.ts";
import type { Bindings } from "./call.ts";

/** What a run takes from its deployment and its tenant. */
export type RunSurroundings = Pick<CreateRun, "options" | "assets">;

const withQueue = (options: RunOptions, queue: string | undefined): RunOptions => {
  if (queue === undefined || queue.trim() === "" || options.raw["command_queue"] != null) return options;
  return { ...options, raw: { ...options.raw, command_queue: queue.trim() } };
};

/**
 * Adds to a new run what its tenant has under the names its graph uses, and the deployment's queue for commands. Both are
 * kept with the run: nothing that is changed later changes the run.
 */
export const runSurroundings = async (
  env: Pick<Bindings, "DB" | "GODWIT_COMMAND_QUEUE">,
  tenant: string,
  { graph, options }: { readonly graph: DecodedGraph; readonly options: RunOptions },
): Promise<RunSurroundings> => {
  const assets = await assetsFor(env.DB, tenant, graph);
  const settled = withQueue(options, env.GODWIT_COMMAND_QUEUE);
  return Object.keys(assets).length === 0 ? { options: settled } : { options: settled, assets };
};
