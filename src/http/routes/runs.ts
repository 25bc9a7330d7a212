import type { CreateRun, RunOptions } from "../../engine/run/command.ts";
import { normalizeArtifact } from "../../engine/artifact/normalize.ts";
import { normalizeGraph } from "../../engine/graph/normalize.ts";
import { unknownHandler } from "../../driver/finish.ts";
import { driveAfterRequest } from "../../driver/start.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { uuidIds } from "../../ports/ids.ts";
import { createdRunSchema, type NewRun, newRunSchema, runPageSchema, runQuery } from "../../schema/api-run.ts";
import { type ArtifactRecord, decodeArtifacts } from "../../schema/artifact.ts";
import type { DecodedGraph, WorkflowGraph } from "../../schema/graph.ts";
import { decodeRunOptions } from "../../schema/run.ts";
import { stored } from "../bodies.ts";
import type { Call } from "../call.ts";
import { decodeProblem, graphOf } from "../graph-input.ts";
import { idFor, keyOf } from "../idempotency.ts";
import { CURSOR_ISSUE, decodeCursor, pageFrom } from "../page.ts";
import { invalid, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { replyOf, runObject } from "../run-object.ts";
import { listRuns, runPosition } from "../run-rows.ts";
import { runSurroundings } from "../run-surroundings.ts";
import { storedGraph } from "../stored-graph.ts";

const OPERATION = "create_run";

/** Options that name a place in a file system or a whole record: over HTTP they are operations of their own. */
const REFUSED_OPTIONS: Readonly<Record<string, string>> = {
  resume_run: "is not taken here: continue a run with POST /v1/runs/{run_id}/resume",
  resume_path: "is not taken here: continue a run with POST /v1/runs/{run_id}/resume",
  replay_run: "is not taken here: replay a run with POST /v1/runs/{run_id}/replay",
  replay_path: "is not taken here: replay a run with POST /v1/runs/{run_id}/replay",
  replay_mode: "is not taken here: replay a run with POST /v1/runs/{run_id}/replay",
};

const optionsOf = (body: NewRun): Result<RunOptions, Problem> => {
  const given = body.options ?? {};
  const refused = Object.entries(REFUSED_OPTIONS).filter(([key]) => given[key] != null);
  if (refused.length > 0) return err(invalid(refused.map(([key, message]) => ({ path: `options.${key}`, message }))));
  const options = decodeRunOptions(given);
  const unknown =
    options.ok && options.value.on_finish !== undefined ? unknownHandler(options.value.on_finish.handler) : null;
  if (unknown !== null) return err(invalid([{ path: "options.on_finish", message: unknown }], unknown));
  return options.ok ? options : err(decodeProblem("options", options.error));
};

const artifactsOf = (body: NewRun): Result<readonly ArtifactRecord[], Problem> => {
  const artifacts = decodeArtifacts(body.artifacts ?? null);
  if (!artifacts.ok) return err(decodeProblem("artifacts", artifacts.error));
  const context = { now: Date.now(), nextId: uuidIds };
  return ok(artifacts.value.map((artifact) => normalizeArtifact(artifact, context)));
};

/** A graph from the request in its normal form; an id it lacks follows from the idempotency key too. */
const givenGraph = (call: Call, document: unknown): Result<WorkflowGraph, Problem> => {
  const graph = graphOf(document);
  const known = idFor(call, "workflow");
  const nextId = (prefix: string): string => (known === null ? uuidIds(prefix) : `${prefix}_${known}`);
  return graph.ok ? ok(normalizeGraph(graph.value, { nextId })) : graph;
};

const graphFor = async (call: Call, body: NewRun): Promise<Result<DecodedGraph, Problem>> => {
  const { workflow_id: workflowId, graph, version } = body;
  if (workflowId !== undefined && graph !== undefined)
    return err(invalid([{ path: "graph", message: "give `workflow_id` or `graph`, not both" }]));
  if (workflowId !== undefined) return storedGraph(call, workflowId, version ?? null);
  if (graph === undefined) return err(invalid([{ path: "workflow_id", message: "give `workflow_id` or `graph`" }]));
  if (version !== undefined) return err(invalid([{ path: "version", message: "goes with `workflow_id` only" }]));
  return givenGraph(call, graph);
};

/** The command that creates the run. With an idempotency key the run's id follows from it: a repetition meets the same object. */
const commandFor = async (call: Call, body: NewRun): Promise<Result<CreateRun, Problem>> => {
  const options = optionsOf(body);
  if (!options.ok) return options;
  const artifacts = artifactsOf(body);
  if (!artifacts.ok) return artifacts;
  const graph = await graphFor(call, body);
  if (!graph.ok) return graph;
  const kept = await stored(call, artifacts.value);
  if (!kept.ok) return kept;
  const given = { graph: graph.value, options: options.value };
  return ok({
    type: "create_run",
    tenant: call.tenant,
    run_id: idFor(call, OPERATION) ?? uuidIds(""),
    task: body.task,
    graph: graph.value,
    artifacts: kept.value,
    ...(await runSurroundings(call.env, call.tenant, given)),
    drive: body.drive,
    // A repeated request is given the first answer, whose plan somebody executes already: it asks for the next step instead.
    start: body.drive === "auto" && call.idempotency_key === null,
  });
};

const create = async (call: Call, body: NewRun) => {
  const command = await commandFor(call, body);
  if (!command.ok) return command.error;
  const { run_id: runId, graph } = command.value;
  const run = runObject(call.env, call.tenant, runId);
  const answer = replyOf(await run.request(command.value, keyOf(call, OPERATION, body)), "created");
  if (!answer.ok) return answer.problem;
  const { control, advance } = answer.reply;
  if (body.drive === "auto") {
    const first = advance === null ? {} : { first: advance };
    call.waitUntil(driveAfterRequest(call.env, { tenant: call.tenant, run_id: runId, ...first }));
  }
  return done(body.graph === undefined ? control : { ...control, graph }, 201);
};

/** Runs: prepare one, list them. */
export const addRunRoutes = (router: Router): void => {
  router.add(
    {
      method: "post",
      path: "/v1/runs",
      operation: OPERATION,
      tag: "Runs",
      summary: "Prepare a run",
      description:
        "Takes a stored workflow or a graph. With `drive: auto` Godwit executes the stages from here on; with `manual` the caller prepares and completes each stage. With an Idempotency-Key a repeated request gives the same run.",
      access: "runs:write",
      body: { name: "NewRun", schema: newRunSchema, bodies_in: "artifacts" },
      reply: { status: 201, description: "The run", name: "CreatedRun", schema: createdRunSchema },
      problems: ["workflow_not_found", "graph_invalid", "policy_exceeds_ceiling", "idempotency_key_reused"],
    },
    ({ body, call }) => create(call, body),
  );
  router.add(
    {
      method: "get",
      path: "/v1/runs",
      operation: "list_runs",
      tag: "Runs",
      summary: "List runs, newest first",
      description:
        "The list is made from messages of the runs and may lag behind them by seconds; a run itself never does.",
      access: "runs:read",
      query: runQuery,
      reply: { status: 200, description: "A page", name: "RunPage", schema: runPageSchema },
    },
    async ({ query, call }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor, 2);
      if (query.cursor !== undefined && after === null) return invalid([CURSOR_ISSUE]);
      return done(pageFrom(await listRuns(call.env.DB, call.tenant, query, after), query.limit, runPosition));
    },
  );
};
