import type { Json, JsonObject } from "../../lib/json.ts";
import { isObject } from "../../lib/json.ts";
import { LAST_MOMENT, type Timestamp } from "../../lib/time.ts";
import type { ValidationReport, WorkflowGraph } from "../../schema/graph.ts";
import type { MutationSessionRecord, RunExecutionRecord, RunRecord } from "../../schema/record.ts";
import { normalizeGraph } from "../graph/normalize.ts";
import { validateGraph } from "../graph/validate.ts";
import { type Context, type Rejection, reject } from "../machine.ts";
import { BUILTIN_CEILING } from "../policy/capability.ts";
import { collectContracts } from "../verification/contracts.ts";
import type { CreateRun, RunOptions } from "./command.ts";
import { replayOf } from "../replay/next-stage.ts";
import type { RunCreated } from "./event.ts";
import { policiesOfRun } from "./stage-policy.ts";

type Prepared =
  | { readonly ok: true; readonly event: Omit<RunCreated, "v" | "at"> }
  | { readonly ok: false; readonly rejection: Rejection };

const DEFAULT_STEPS_PER_NODE = 4;

const mutationSession = (options: RunOptions, runId: string, context: Context): MutationSessionRecord => {
  const requested =
    options.mutation_scope ?? (options.execution?.adapter === "worktree" ? "apply_worktree" : "read_only");
  const audit = options.audit ?? {};
  return {
    session_id: audit.session_id || context.nextId("session"),
    parent_session_id: audit.parent_session_id ?? null,
    run_id: runId,
    worker_id: audit.worker_id ?? null,
    execution_kind: "workflow",
    mutation_scope: audit.mutation_scope || requested,
    approval_policy: audit.approval_policy ?? options.approval_policy ?? null,
  };
};

interface MetadataInput {
  readonly graph: WorkflowGraph;
  readonly validation: ValidationReport;
  readonly options: RunOptions;
  readonly lineage: { readonly parent: string | null; readonly root: string };
  readonly session: MutationSessionRecord;
  readonly base: RunRecord | null;
  readonly policy: RunRecord["policy"];
  readonly maxSteps: number;
}

const optional = (key: string, value: unknown): JsonObject =>
  value === undefined || value === null || value === "" ? {} : { [key]: value as Json };

/** The options a run keeps: they say where its commands run, also where a run that it continues said so (spec/workers 5). */
const optionsWith = (raw: JsonObject, execution: RunExecutionRecord | null): JsonObject =>
  execution === null ? raw : { ...raw, execution: execution as unknown as Json };

/** The metadata of a run record as prepare fills it (spec/workflow 4.3). */
const runMetadata = (input: MetadataInput): JsonObject => {
  const { graph, options, base, lineage } = input;
  return {
    ...base?.metadata,
    effective_policy: input.policy as unknown as Json,
    ...optional("parent_worker_id", options.parent_worker_id),
    ...optional("parent_stage_id", options.parent_stage_id),
    ...(options.delegated === true ? { delegated: true } : {}),
    ...optional("parent_run_id", lineage.parent),
    root_run_id: lineage.root,
    ...optional("execution", options.execution ?? base?.execution),
    mutation_session: input.session as unknown as Json,
    ...(Object.keys(graph.metadata).length > 0 ? { workflow_metadata: graph.metadata as JsonObject } : {}),
    ...optional("trigger_event", options.trigger_event),
    ...optional("trace_id", options.trigger_event?.["trace_id"]),
    ...optional("replay_of_event_id", options.replay_of_event_id),
    workflow_version: graph.version,
    validation: input.validation as unknown as Json,
    max_steps: input.maxSteps,
    resumed: (base?.stages.length ?? 0) > 0,
    ...optional("replay_mode", options.replay_mode),
    ...optional("replayed_from", options.replay_run?.id ?? options.replay_source),
  };
};

/** A moment as it is, a number as milliseconds from now. */
const deadlineMs = (deadline: string | number, now: Timestamp): Timestamp =>
  typeof deadline === "number" ? Math.min(now + deadline, LAST_MOMENT) : Date.parse(deadline);

/** How many stages may be open at a time: whoever walks the graph by hand takes one, and so does a replay. */
const parallelOf = ({ drive, options }: CreateRun): number =>
  drive === "auto" && options.replay_mode !== "deterministic" ? (options.max_parallel ?? 1) : 1;

/** What of the event is there only for runs that ask for it. */
const settings = (command: CreateRun, context: Context): Partial<RunCreated> => {
  const { options, assets = {}, sessions = [], report_to } = command;
  const parallel = parallelOf(command);
  return {
    ...(Object.keys(assets).length === 0 ? {} : { assets }),
    ...(report_to === undefined ? {} : { report_to }),
    ...(sessions.length === 0 ? {} : { sessions }),
    ...(parallel > 1 ? { max_parallel: parallel } : {}),
    ...(options.on_finish === undefined ? {} : { on_finish: options.on_finish }),
    ...(options.budget === undefined ? {} : { budget: options.budget }),
    ...(options.deadline === undefined ? {} : { deadline_ms: deadlineMs(options.deadline, context.now) }),
    ...(options.fork === undefined ? {} : { fork: options.fork }),
    ...replayOf(options),
  };
};

/**
 * Prepares a run: normalises and validates the graph, and lays down what the run starts from (spec/workflow 4.2).
 *
 * Refuses with `graph_invalid` and the texts of the specification; nothing is written then.
 */
export const prepareRun = (command: CreateRun, context: Context): Prepared => {
  const { options } = command;
  const graph = normalizeGraph(command.graph, context);
  const validation = validateGraph(graph, BUILTIN_CEILING);
  if (!validation.valid) {
    const detail = `workflow_execute: invalid workflow: ${validation.errors.join("; ")}`;
    return reject("graph_invalid", detail, { errors: validation.errors, warnings: validation.warnings });
  }
  const contracts = collectContracts(graph, command.assets);
  if (!contracts.ok) return reject("graph_invalid", contracts.error);

  const base = options.resume_run ?? null;
  const policies = policiesOfRun(graph, options);
  if (!policies.ok) return { ok: false, rejection: policies.error };
  const { policy, approval_policy: approval } = policies.value;
  const runId = base?.id ?? command.run_id;
  const parent = options.parent_run_id ?? base?.parent_run_id ?? null;
  const root = base?.root_run_id ?? options.root_run_id ?? options.parent_run_id ?? runId;
  const nodeCount = Object.keys(graph.nodes).length;
  const maxSteps = Math.max(1, options.max_steps ?? DEFAULT_STEPS_PER_NODE * nodeCount);
  const execution = base?.execution ?? options.execution ?? null;
  const session = mutationSession(options, runId, context);
  const metadata = runMetadata({
    graph,
    validation,
    options,
    lineage: { parent, root },
    session,
    base,
    policy,
    maxSteps,
  });
  return {
    ok: true,
    event: {
      type: "run_created",
      tenant: command.tenant,
      run_id: runId,
      state_id: context.nextId(""),
      drive: command.drive,
      graph,
      task: command.task,
      artifacts: command.artifacts,
      options: optionsWith(options.raw, execution),
      ...(approval === null ? {} : { approval_policy: approval }),
      max_steps: maxSteps,
      transcript: (base?.transcript as Json | undefined) ?? options.transcript ?? null,
      trigger_event: isObject(options.trigger_event) ? options.trigger_event : null,
      record: {
        parent_run_id: parent,
        root_run_id: root,
        execution,
        metadata,
        persisted_path: options.persist_path ?? `runs/${runId}`,
        policy,
      },
      resumed_from: base,
      ...settings(command, context),
    },
  };
};
