import type { JsonObject } from "../../lib/json.ts";
import { ok, type Result } from "../../lib/result.ts";
import type { WorkflowGraph } from "../../schema/graph.ts";
import type { Rejection } from "../machine.ts";
import type { CreateRun, RunOptions } from "../run/command.ts";
import { BLOCKED_NODES } from "./blocked.ts";
import type { ReplaySource } from "./source.ts";

/** A replay to be made. */
interface ReplayRequest {
  readonly tenant: string;
  readonly run_id: string;
  /** Another version of the workflow; without it the graph the run was executed with. */
  readonly graph?: WorkflowGraph;
  readonly decodeOptions: (raw: JsonObject) => Result<RunOptions, Rejection>;
}

/**
 * The command that replays a run: the same task, inputs and options, and every stage as it was recorded. The recording is
 * read from the source page by page (spec/workflow 12.5).
 */
export const replayRun = (source: ReplaySource, request: ReplayRequest): Result<CreateRun, Rejection> => {
  const { [BLOCKED_NODES]: _blocked, persist_path: _path, ...own } = source.options;
  const options = request.decodeOptions({
    ...own,
    ...(source.trigger_event === null ? {} : { trigger_event: source.trigger_event }),
    ...(source.transcript === null ? {} : { transcript: source.transcript }),
    replay_mode: "deterministic",
  });
  if (!options.ok) return options;
  const isExact = request.graph === undefined;
  return ok({
    type: "create_run",
    tenant: request.tenant,
    run_id: request.run_id,
    task: source.task,
    graph: request.graph ?? source.graph,
    artifacts: source.artifacts,
    assets: source.assets,
    options: {
      ...options.value,
      max_steps: isExact ? source.exact_steps : source.max_steps,
      replay_source: source.run_id,
      ...(isExact ? { replay_exact: true } : {}),
    },
    drive: "auto",
    start: true,
  });
};
