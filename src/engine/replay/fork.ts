import type { JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowGraph } from "../../schema/graph.ts";
import type { RunRecord } from "../../schema/record.ts";
import type { ArtifactContext } from "../artifact/normalize.ts";
import { type Context, type Rejection, reject } from "../machine.ts";
import type { CreateRun, RunOptions } from "../run/command.ts";
import type { DriveMode, Reopened } from "../run/state.ts";
import { BLOCKED_NODES } from "./blocked.ts";
import { type EffectPlan, planEffects } from "./effects.ts";
import type { ForkSource } from "./fork-source.ts";
import { replaceLastResult } from "./replace-result.ts";

/** Changes of the artifacts a fork starts from. */
export interface ArtifactEdits {
  readonly add: readonly ArtifactRecord[];
  readonly remove: readonly string[];
  readonly replace: Readonly<Record<string, ArtifactRecord>>;
}

/** What a fork changes. */
export interface ForkEdits {
  readonly task?: string;
  readonly artifacts?: ArtifactEdits;
  /** Results by stage id, as if the stage had returned them. */
  readonly stage_results?: Readonly<Record<string, { readonly result: JsonObject }>>;
  /** Laid over the run's options. */
  readonly options?: JsonObject;
  /** Does not repeat a stage that called a tool with side effects. */
  readonly block_effects?: boolean;
}

/** A fork to be made. */
export interface ForkRequest {
  readonly tenant: string;
  readonly run_id: string;
  readonly edits: ForkEdits;
  /** Another version of the workflow; without it the graph of the source. */
  readonly graph?: WorkflowGraph;
  readonly drive?: DriveMode;
  /** A fork by edits, or the run itself going on from an earlier point with its steps counted anew. */
  readonly as: "forked_from" | "resumed_from";
  /** Reads options of a run; the decoder belongs to the schema. */
  readonly decodeOptions: (raw: JsonObject) => Result<RunOptions, Rejection>;
}

/** The command that makes the fork, and what becomes of recorded effects. */
export interface Fork {
  readonly command: CreateRun;
  readonly plan: EffectPlan;
}

const refuse = (detail: string, details?: JsonObject): Result<never, Rejection> =>
  err(reject("fork_edit_refused", detail, details).rejection);

const editArtifacts = (
  artifacts: readonly ArtifactRecord[],
  { add, remove, replace }: ArtifactEdits,
): Result<readonly ArtifactRecord[], Rejection> => {
  const known = new Set(artifacts.map(({ id }) => id));
  const missing = [...remove, ...Object.keys(replace)].find((id) => !known.has(id));
  if (missing !== undefined)
    return refuse(`edits.artifacts names artifact ${missing}, which the run does not have at this checkpoint`);
  const twice = add.find(({ id }) => known.has(id));
  if (twice !== undefined)
    return refuse(`edits.artifacts adds artifact ${twice.id}, which the run has already: name it under replace`);
  const gone = new Set(remove);
  const kept = artifacts
    .filter(({ id }) => !gone.has(id))
    .map((artifact) => {
      const other = Object.hasOwn(replace, artifact.id) ? replace[artifact.id] : undefined;
      return other === undefined ? artifact : { ...other, id: artifact.id };
    });
  return ok([...kept, ...add]);
};

/** Keys of a run's metadata that are about that run alone. */
const OWN_METADATA = new Set(["forked_from", "resumed_from", "replayed_from", "replay_mode", "error", "return_value"]);

/** Keys of a run's options that a fork does not take over. */
const OWN_OPTIONS = new Set(["replay_mode", "persist_path", "parent_run_id", "root_run_id", BLOCKED_NODES]);

const without = (source: JsonObject, keys: ReadonlySet<string>): JsonObject =>
  Object.fromEntries(Object.entries(source).filter(([key]) => !keys.has(key)));

/** The record of the source as the fork's own: another id, its lineage, and nothing of its end. */
const asFork = (record: RunRecord, source: ForkSource, request: ForkRequest): RunRecord => ({
  ...record,
  id: request.run_id,
  status: "running",
  finished_at: null,
  parent_run_id: source.run_id,
  root_run_id: record.root_run_id ?? source.run_id,
  usage: null,
  replay_fixture: null,
  observability: null,
  metadata: {
    ...without(record.metadata, OWN_METADATA),
    [request.as]: { run_id: source.run_id, checkpoint_id: source.checkpoint_id },
  },
});

const missingNodes = (graph: WorkflowGraph, pending: readonly string[]): Result<null, Rejection> => {
  const missing = pending.filter((node) => !Object.hasOwn(graph.nodes, node));
  if (missing.length === 0) return ok(null);
  const names = missing.join(", ");
  const errors = missing.map((node) => `node ${node} is pending at the checkpoint and not in this version`);
  return err(
    reject("graph_invalid", `the other version has no node ${names}, pending at the checkpoint`, { errors }).rejection,
  );
};

interface Edited {
  readonly record: RunRecord;
  readonly given: readonly string[];
}

const editRecord = (
  source: ForkSource,
  { edits, graph = source.graph }: ForkRequest,
  context: ArtifactContext,
): Result<Edited, Rejection> => {
  const given = Object.entries(edits.stage_results ?? {});
  let { record } = source;
  for (const [stageId, { result }] of given) {
    const replaced = replaceLastResult({ ...source, record, graph }, { stage_id: stageId, result }, context);
    if (!replaced.ok) return refuse(replaced.error, { path: `edits.stage_results.${stageId}` });
    record = replaced.value;
  }
  const artifacts =
    edits.artifacts === undefined ? ok(record.artifacts) : editArtifacts(record.artifacts, edits.artifacts);
  if (!artifacts.ok) return artifacts;
  return ok({ record: { ...record, artifacts: artifacts.value }, given: given.map(([stageId]) => stageId) });
};

/** True when the fork changes nothing that an open stage may have seen. */
const seesTheSame = ({ edits, graph }: ForkRequest): boolean =>
  graph === undefined && Object.keys(edits).every((key) => key === "block_effects" || key === "stage_results");

/** The stages that the fork opens again; who walks the graph by hand finds them in the queue. */
const reopened = (source: ForkSource, request: ForkRequest): readonly Reopened[] => {
  if ((request.drive ?? source.drive) !== "auto") return [];
  return seesTheSame(request) ? source.open : source.open.map(({ node_id: nodeId }) => ({ node_id: nodeId }));
};

const queueOf = (source: ForkSource, request: ForkRequest, ready: readonly string[]): readonly string[] =>
  (request.drive ?? source.drive) === "auto"
    ? ready
    : [...new Set([...source.open.map(({ node_id: nodeId }) => nodeId), ...ready])];

const optionsOf = (
  source: ForkSource,
  request: ForkRequest,
  blocked: readonly string[],
): Result<RunOptions, Rejection> => {
  const options = request.decodeOptions({
    ...without(source.options, OWN_OPTIONS),
    ...request.edits.options,
    ...(blocked.length === 0 ? {} : { [BLOCKED_NODES]: blocked }),
    ...(source.trigger_event === null ? {} : { trigger_event: source.trigger_event }),
  });
  if (!options.ok) return options;
  const again = request.as === "resumed_from";
  const recounted = again || request.edits.options?.["max_steps"] !== undefined;
  const open = reopened(source, request);
  return ok({
    ...options.value,
    max_steps: request.edits.options?.["max_steps"] === undefined ? source.max_steps : (options.value.max_steps ?? 1),
    parent_run_id: source.run_id,
    fork: {
      // A stage that is opened again has taken its step; one that waits in the queue takes it when it is taken.
      steps: recounted ? 0 : source.steps - (source.open.length - open.length),
      ...(again || request.edits.options?.["budget"] !== undefined ? {} : { usage: source.spent }),
      ...(open.length === 0 ? {} : { open }),
    },
  });
};

/**
 * A run that goes on from a checkpoint of another one, with edits. The other run is not touched; the new one keeps its
 * stages, artifacts and lineage. Refuses with `fork_edit_refused`, `graph_invalid` or what the options are refused with.
 */
export const forkRun = (source: ForkSource, request: ForkRequest, context: Context): Result<Fork, Rejection> => {
  const graph = request.graph ?? source.graph;
  const edited = editRecord(source, request, context);
  if (!edited.ok) return edited;
  const { given } = edited.value;
  const { record: base } = edited.value;
  const record = { ...base, pending_nodes: queueOf(source, request, base.pending_nodes) };
  const open = source.open.map(({ node_id: nodeId }) => nodeId);
  const nodes = missingNodes(graph, [...new Set([...open, ...record.pending_nodes])]);
  if (!nodes.ok) return nodes;
  const plan = planEffects({
    effects: source.effects,
    kept: new Set(source.record.stages.map(({ id }) => id)),
    given: new Set(given),
    graph,
    block_effects: request.edits.block_effects === true,
  });
  const options = optionsOf(source, request, plan.blocked_nodes);
  if (!options.ok) return options;
  const command: CreateRun = {
    type: "create_run",
    tenant: request.tenant,
    run_id: request.run_id,
    task: request.edits.task ?? record.task,
    graph,
    artifacts: [],
    assets: source.assets,
    sessions: source.sessions,
    options: { ...options.value, resume_run: asFork(record, source, request) },
    drive: request.drive ?? source.drive,
    start: true,
  };
  return ok({ command, plan });
};
