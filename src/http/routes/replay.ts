import { normalizeGraph } from "../../engine/graph/normalize.ts";
import { replayRun } from "../../engine/replay/replay.ts";
import type { WorkflowGraph } from "../../schema/graph.ts";
import { ok, type Result } from "../../lib/result.ts";
import { uuidIds } from "../../ports/ids.ts";
import { type ReplayBody, replayRequestSchema } from "../../schema/api-replay.ts";
import { runControlSchema } from "../../schema/api-run.ts";
import type { Call } from "../call.ts";
import { createFrom, decodeOptions, newRunId } from "../new-run.ts";
import { fromRejection, problem, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { runNotFound, runObject } from "../run-object.ts";
import { storedGraph } from "../stored-graph.ts";

const OPERATION = "replay_run";

/** Another version of a run's workflow in its normal form; nothing when none is asked for. */
export const versionOf = async (
  call: Call,
  workflowId: string,
  version: number | undefined,
): Promise<Result<{ readonly graph?: WorkflowGraph }, Problem>> => {
  if (version === undefined) return ok({});
  const graph = await storedGraph(call, workflowId, version);
  return graph.ok ? ok({ graph: normalizeGraph(graph.value, { nextId: uuidIds }) }) : graph;
};

const replay = async (call: Call, runId: string, body: ReplayBody) => {
  const source = await runObject(call.env, call.tenant, runId).replaySource();
  if (source === null) return runNotFound(runId);
  if (source.status === "running")
    return problem("invalid_transition", `run ${runId} is running: replay it when it has ended or is paused`);
  const version = await versionOf(call, source.graph.id, body.version);
  if (!version.ok) return version.error;
  const command = replayRun(source, {
    tenant: call.tenant,
    run_id: newRunId(call, OPERATION),
    ...version.value,
    decodeOptions,
  });
  if (!command.ok) return fromRejection(command.error);
  const control = await createFrom(call, command.value, { operation: OPERATION, request: { run_id: runId, ...body } });
  return control.ok ? done(control.value, 201) : control.error;
};

/** Deterministic replay. */
export const addReplayRoutes = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/replay",
      operation: OPERATION,
      tag: "Runs",
      summary: "Replay a run without calling anything",
      description:
        "A new run that takes every stage from the recorded run, in its order: no model, tool, command or address is called. It fails where the graph leads to another node than the recorded one. `metadata.replayed_from` names the source.",
      access: "runs:write",
      body: { name: "Replay", schema: replayRequestSchema, optional: true },
      reply: { status: 201, description: "The replay", name: "RunControl", schema: runControlSchema },
      problems: [
        "run_not_found",
        "workflow_not_found",
        "invalid_transition",
        "graph_invalid",
        "idempotency_key_reused",
      ],
    },
    ({ params, body, call }) => replay(call, params.run_id, body),
  );
