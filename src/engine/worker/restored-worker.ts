import type { Json, JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { rfc3339 } from "../../lib/time.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import type { DecodedSnapshot, SnapshotConfig } from "../../schema/worker-snapshot.ts";
import { normalizeArtifact } from "../artifact/normalize.ts";
import { normalizeGraph } from "../graph/normalize.ts";
import type { Context } from "../machine.ts";
import { meetPolicies } from "../policy/capability.ts";
import { normalizedAudit } from "./audit.ts";
import { readSuspension } from "./read-suspension.ts";
import { readRequest } from "./request.ts";
import { withSessionIds } from "./session-ids.ts";
import type { Worker, WorkerConfig, WorkerMode, WorkerStatus, WorkerSuspension } from "./state.ts";

/** Where a snapshot was found, and whose it is. */
export interface SnapshotSource {
  readonly tenant: string;
  /** The path that was read: a snapshot that was moved stays where it is (spec/workers 12.4). */
  readonly path: string;
  /** The policy in force where it is loaded, if any; whatever the snapshot says, the worker gets no more (spec/workers 32.7). */
  readonly policy?: CapabilityPolicy | null;
}

const MODES: readonly string[] = [
  "workflow",
  "stage",
  "sub_agent",
  "delegated_stage",
  "top_level_agent",
] satisfies readonly WorkerMode[];

const KEPT: readonly string[] = [
  "awaiting",
  "suspended",
  "completed",
  "failed",
  "cancelled",
  "stopped",
  "interrupted",
] satisfies readonly Exclude<WorkerStatus, "running">[];

/** What was under way when a snapshot was written is not any more; a status that nobody knows says no more (spec/workers 12.4). */
const loadedStatus = (value: Json | undefined): WorkerStatus =>
  typeof value === "string" && KEPT.includes(value) ? (value as WorkerStatus) : "interrupted";

/** `workflow` is what a snapshot without a mode has always been; one that nobody knows is that of its config. */
const loadedMode = (value: Json | undefined, config: WorkerConfig): WorkerMode => {
  if (value === undefined || value === null) return "workflow";
  return typeof value === "string" && MODES.includes(value) ? (value as WorkerMode) : config.mode;
};

const textOr = <Otherwise>(value: Json | undefined, otherwise: Otherwise): string | Otherwise =>
  typeof value === "string" ? value : otherwise;

const textsOf = (value: Json | undefined): readonly string[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter((item) => typeof item === "string") : [];

const countOf = (value: Json | undefined): number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;

const loadedConfig = (config: SnapshotConfig, workerId: string, context: Context): WorkerConfig => {
  if (config.mode === "sub_agent") return config;
  const artifacts = config.artifacts.map((artifact) => normalizeArtifact(artifact, context));
  const loaded: WorkerConfig =
    config.mode === "workflow"
      ? { ...config, graph: normalizeGraph(config.graph, context), artifacts }
      : { ...config, artifacts };
  return withSessionIds(loaded, workerId);
};

/** Only a worker that is suspended has a suspension, and each of them has one. */
const loadedSuspension = (
  status: WorkerStatus,
  source: JsonObject,
  where: { readonly path: string; readonly at: string },
): Result<WorkerSuspension | null, string> => {
  if (status !== "suspended") return ok(null);
  const suspension = readSuspension(source["suspension"], where);
  return suspension.ok ? suspension : err(`worker snapshot suspension parse error: ${suspension.error}`);
};

const narrowed = (policy: CapabilityPolicy | null, ceiling: CapabilityPolicy | null): CapabilityPolicy | null =>
  policy === null || ceiling === null ? (policy ?? ceiling) : meetPolicies(ceiling, policy);

/** The worker that a snapshot shows; nothing of it runs, and no stage waits for it (spec/workers 12.4). */
export const restoredWorker = (
  decoded: DecodedSnapshot,
  { tenant, path, policy = null }: SnapshotSource,
  context: Context,
): Result<Worker, string> => {
  const { source } = decoded;
  const id = textOr(source["id"], "");
  const status = loadedStatus(source["status"]);
  const config = loadedConfig(decoded.config, id, context);
  const suspension = loadedSuspension(status, source, { path, at: rfc3339(context.now) });
  if (!suspension.ok) return suspension;
  return ok({
    tenant,
    id,
    name: textOr(source["name"], "worker"),
    task: textOr(source["task"], ""),
    status,
    created_at: textOr(source["created_at"], ""),
    started_at: textOr(source["started_at"], ""),
    finished_at: textOr(source["finished_at"], null),
    awaiting_started_at: textOr(source["awaiting_started_at"], null),
    mode: loadedMode(source["mode"], config),
    history: textsOf(source["history"]),
    config,
    request: readRequest(source["request"]),
    latest_payload: source["latest_payload"] ?? null,
    latest_error: textOr(source["latest_error"], null),
    transcript: source["transcript"] ?? null,
    artifacts: decoded.artifacts.map((artifact) => normalizeArtifact(artifact, context)),
    parent_worker_id: textOr(source["parent_worker_id"], null) || null,
    parent_stage_id: textOr(source["parent_stage_id"], null),
    child_run_id: textOr(source["child_run_id"], null) || null,
    child_run_path: textOr(source["child_run_path"], null),
    carry_policy: { ...decoded.carry_policy, policy: narrowed(decoded.carry_policy.policy, policy) },
    execution: decoded.execution,
    snapshot_path: path,
    audit: normalizedAudit(decoded.audit ?? {}, context),
    suspension: suspension.value,
    cycle: countOf(source["cycle"]),
    run: null,
    parent: null,
    // When it is woken is reckoned anew where it is restored, and it has nobody to end there.
    resume_at_ms: null,
    children: [],
  });
};
