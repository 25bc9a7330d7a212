import * as z from "zod";
import { isObject, type Json, type JsonObject } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { RunOptions } from "../engine/run/command.ts";
import type { Completion, FollowedEdge } from "../engine/run/state.ts";
import { type DecodeError, type DecodeIssue, decodeAt, nestingIssue } from "./decode.ts";
import { decodeApprovalPolicy, decodeCapabilityPolicy } from "./policy.ts";
import { runBudgetSchema } from "./run-budget.ts";
import { decodeMutationSession, decodeRunExecution, decodeRunRecord } from "./record.ts";

/** The highest `max_steps` a run may ask for. */
export const MAX_STEPS = 1_000_000;

const failure = (message: string, path: string): Result<never, DecodeError> =>
  err({ message, issues: [{ path, message }] });

const below = (prefix: string, error: DecodeError): Result<never, DecodeError> =>
  err({
    message: error.message,
    issues: error.issues.map((issue): DecodeIssue => ({
      path: issue.path === "." ? prefix : `${prefix}.${issue.path}`,
      message: issue.message,
    })),
  });

/** The option's text, or absent for null, the empty text and "nil" (spec/workflow 0.2). */
const optionalText = (raw: JsonObject, key: string): string | undefined => {
  const value = raw[key];
  if (value === undefined || value === null || value === "" || value === "nil") return undefined;
  return typeof value === "string" ? value : JSON.stringify(value);
};

const textOptions = (raw: JsonObject): Partial<RunOptions> => {
  const keys = [
    "parent_run_id",
    "root_run_id",
    "parent_worker_id",
    "parent_stage_id",
    "mutation_scope",
    "replay_mode",
    "persist_path",
    "replay_of_event_id",
  ] as const;
  return Object.fromEntries(
    keys.flatMap((key) => {
      const value = optionalText(raw, key);
      return value === undefined ? [] : [[key, value]];
    }),
  );
};

const maxSteps = (raw: JsonObject): Result<Partial<RunOptions>, DecodeError> => {
  const value = raw["max_steps"];
  if (value === undefined || value === null) return ok({});
  if (typeof value !== "number" || !Number.isInteger(value) || value > MAX_STEPS)
    return failure(`workflow_execute: max_steps must be a whole number up to ${MAX_STEPS}`, "max_steps");
  return ok({ max_steps: value });
};

/** The most stages of a run that may be under way at a time. */
export const MAX_PARALLEL = 64;

const parallel = (raw: JsonObject): Result<Partial<RunOptions>, DecodeError> => {
  const value = raw["max_parallel"];
  if (value === undefined || value === null) return ok({});
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > MAX_PARALLEL)
    return failure(`workflow_execute: max_parallel must be a whole number from 1 to ${MAX_PARALLEL}`, "max_parallel");
  return ok({ max_parallel: value });
};

const deadline = (raw: JsonObject): Result<Partial<RunOptions>, DecodeError> => {
  const value = raw["deadline"];
  if (value === undefined || value === null) return ok({});
  if (typeof value === "number" && Number.isInteger(value) && value > 0) return ok({ deadline: value });
  if (typeof value === "string" && z.iso.datetime({ offset: true }).safeParse(value).success)
    return ok({ deadline: value });
  return failure(
    "workflow_execute: deadline must be an RFC 3339 moment, or a positive number of milliseconds from now",
    "deadline",
  );
};

const budget = (raw: JsonObject): Result<Partial<RunOptions>, DecodeError> => {
  const value = raw["budget"];
  if (value === undefined || value === null) return ok({});
  const decoded = decodeAt(runBudgetSchema, value, ["budget"]);
  if (decoded.ok) return ok({ budget: decoded.value });
  return err({
    message: `workflow_execute: budget: ${decoded.error[0]?.message ?? "not valid"}`,
    issues: decoded.error,
  });
};

const MAX_HANDLER_CHARACTERS = 200;

const isHandler = (name: unknown): name is string =>
  typeof name === "string" && name !== "" && name.length <= MAX_HANDLER_CHARACTERS;

/** What is done at the end: the name of a handler, or that with what it is given (spec/workers 21.1). */
const onFinish = (raw: JsonObject): Result<Partial<RunOptions>, DecodeError> => {
  const value = raw["on_finish"];
  if (value === undefined || value === null) return ok({});
  const { handler, input = null } = isObject(value) ? value : { handler: value };
  if (!isHandler(handler))
    return failure(
      `workflow_execute: on_finish must be the name of a handler of at most ${MAX_HANDLER_CHARACTERS} characters, or {handler, input}`,
      "on_finish",
    );
  return ok({ on_finish: { handler, input } });
};

/** Parts that are documents of their own. Null counts as absent: what the original fails on helps nobody (spec/workflow 0.2). */
const documents = (raw: JsonObject): Result<Partial<RunOptions>, DecodeError> => {
  const found: { -readonly [Key in keyof RunOptions]?: RunOptions[Key] } = {};
  if (raw["execution"] != null) {
    const execution = decodeRunExecution(raw["execution"], "workflow execution");
    if (!execution.ok) return below("execution", execution.error);
    found.execution = execution.value;
  }
  if (raw["audit"] != null) {
    const audit = decodeMutationSession(raw["audit"], "workflow_execute: audit");
    if (!audit.ok) return below("audit", audit.error);
    found.audit = audit.value;
  }
  for (const key of ["resume_run", "replay_run"] as const) {
    if (raw[key] == null) continue;
    const record = decodeRunRecord(raw[key]);
    if (!record.ok) return below(key, record.error);
    found[key] = record.value;
  }
  const event = raw["trigger_event"];
  if (event != null) {
    if (!isObject(event))
      return failure("workflow_execute: trigger_event parse error: expected an object", "trigger_event");
    found.trigger_event = event;
  }
  if (raw["transcript"] != null) found.transcript = raw["transcript"] as Json;
  if (raw["delegated"] === true) found.delegated = true;
  return ok(found);
};

/** The policies of the run. One that cannot be read is refused: ignoring it would lift what it forbids. */
const policies = (raw: JsonObject): Result<Partial<RunOptions>, DecodeError> => {
  const found: { -readonly [Key in keyof RunOptions]?: RunOptions[Key] } = {};
  if (raw["capability_policy"] != null) {
    const policy = decodeCapabilityPolicy(raw["capability_policy"]);
    if (!policy.ok) return below("capability_policy", policy.error);
    found.capability_policy = policy.value;
  }
  if (raw["approval_policy"] != null) {
    const approval = decodeApprovalPolicy(raw["approval_policy"], "workflow_execute: approval_policy");
    if (!approval.ok) return below("approval_policy", approval.error);
    found.approval_policy = approval.value;
  }
  return ok(found);
};

/** Options of the record or of the storage, which the run itself need not keep. */
const NOT_KEPT = new Set(["resume_run", "replay_run", "trigger_event", "transcript"]);

/**
 * The options of a new run (spec/workflow 4.4). Anything that is no object counts as no options. Errors carry the texts
 * of the specification and the path of each bad field within the options.
 */
export const decodeRunOptions = (value: unknown): Result<RunOptions, DecodeError> => {
  const given = isObject(value) ? value : {};
  const tooDeep = nestingIssue(given);
  if (tooDeep !== null) return err({ message: tooDeep.message, issues: [tooDeep] });
  const steps = maxSteps(given);
  if (!steps.ok) return steps;
  const lanes = parallel(given);
  if (!lanes.ok) return lanes;
  const end = deadline(given);
  if (!end.ok) return end;
  const parts = documents(given);
  if (!parts.ok) return parts;
  const limits = policies(given);
  if (!limits.ok) return limits;
  const raw = Object.fromEntries(Object.entries(given).filter(([key]) => !NOT_KEPT.has(key)));
  const money = budget(given);
  if (!money.ok) return money;
  const atEnd = onFinish(given);
  if (!atEnd.ok) return atEnd;
  const bounds = { ...steps.value, ...lanes.value, ...end.value, ...money.value, ...atEnd.value };
  return ok({ raw, ...textOptions(given), ...bounds, ...parts.value, ...limits.value });
};

const ids = z.array(z.string()).default([]);

const stageReference = z.object({
  stage_id: z.string().default(""),
  node_id: z.string().default(""),
  branch: z.string().nullable().default(null),
  consumed_artifact_ids: ids,
  produced_artifact_ids: ids,
});

/** The executed stage a caller hands to `record_transitions` (spec/workflow 4.1). */
export const decodeStageReference = (value: unknown): Result<Omit<Completion, "handed_in">, DecodeError> => {
  if (value === undefined || value === null)
    return failure("__host_workflow_record_transitions: missing stage", "stage");
  const decoded = decodeAt(stageReference, value, ["stage"]);
  if (decoded.ok) return decoded;
  const message = `__host_workflow_record_transitions: invalid stage record: ${decoded.error[0]?.message ?? ""}`;
  return err({ message, issues: decoded.error });
};

const edges = z.array(
  z.object({ from: z.string().default(""), to: z.string().default(""), branch: z.string().nullable().default(null) }),
);

/** The edges a caller hands to `record_transitions` (spec/workflow 4.1). */
export const decodeEdges = (value: unknown): Result<readonly FollowedEdge[], DecodeError> => {
  const decoded = decodeAt(edges, value ?? [], ["edges"]);
  if (decoded.ok) return decoded;
  const message = `__host_workflow_record_transitions: invalid value: ${decoded.error[0]?.message ?? ""}`;
  return err({ message, issues: decoded.error });
};

/** The driver's queue: a list of texts, null for an empty one (spec/workflow 4.1). */
export const decodeReady = (value: unknown, operation: string): Result<readonly string[], DecodeError> => {
  if (value === undefined || value === null) return ok([]);
  if (!Array.isArray(value)) return failure(`${operation} ready_nodes: expected list`, "ready_nodes");
  const bad = value.findIndex((item) => typeof item !== "string");
  if (bad >= 0) return failure(`${operation} ready_nodes: expected string at index ${bad}`, `ready_nodes[${bad}]`);
  return ok(value as readonly string[]);
};
