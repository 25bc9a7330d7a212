import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { rfc3339 } from "../../lib/time.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import { normalizeHandoff } from "../artifact/handoff.ts";
import type { Context } from "../machine.ts";
import { type Message, roleOf, textOf } from "../transcript/message.ts";
import type { Worker } from "./state.ts";

const NO_SUMMARY = "Stopped before the sub-agent produced a transcript summary.";
const DEFAULT_REASON = "worker stopped";
const RESULT_SCHEMA = "harn.agent_stop.result.v1";
const HANDOFF_SCHEMA = "harn.agent_stop.handoff.v1";
const PARENT = "parent_agent";
const TOLD_BY = ["summary", "reason", "outcome", "result", "error"] as const;
const SPEAKERS: ReadonlySet<string> = new Set(["assistant", "tool", "tool_result", "user"]);

/** How a worker is stopped: why, and what its own workers left when they were stopped before it. */
export interface StopRequest {
  readonly reason: string;
  readonly children: readonly JsonObject[];
}

const filled = (value: Json | undefined): string | null =>
  typeof value === "string" && value.trim() !== "" ? value : null;

const listIn = (value: Json, key: string): readonly JsonObject[] => {
  const list = isObject(value) ? value[key] : undefined;
  return Array.isArray(list) ? (list as readonly Json[]).filter(isObject) : [];
};

const newestText = (transcript: Json): string | null => {
  const messages: readonly Message[] = listIn(transcript, "messages");
  for (const message of messages.toReversed()) {
    const text = SPEAKERS.has(roleOf(message)) ? filled(textOf(message)) : null;
    if (text !== null) return text;
  }
  return null;
};

/** What a worker that is stopped had come to, in one text (spec/workers 17.8, 2). */
export const stopSummary = ({ latest_payload: payload, transcript, latest_error: error }: Worker): string => {
  const told = isObject(payload) ? TOLD_BY.map((key) => filled(payload[key])) : [];
  const summary = isObject(transcript) ? filled(transcript["summary"]) : null;
  return [...told, summary, newestText(transcript), filled(error)].find((text) => text != null) ?? NO_SUMMARY;
};

const evidenceOf = ({ snapshot_path, child_run_path, artifacts }: Worker): readonly JsonObject[] => [
  { kind: "worker_snapshot", path: snapshot_path },
  ...(child_run_path === null ? [] : [{ kind: "run_record", path: child_run_path }]),
  ...artifacts.map(({ id, kind, title }) => ({ kind, artifact_id: id, label: title })),
];

const filesOf = (artifacts: readonly ArtifactRecord[]): readonly string[] =>
  artifacts.flatMap(({ metadata, data }) =>
    [metadata, data].flatMap((source) =>
      isObject(source) ? ["path", "uri"].flatMap((key) => filled(source[key]) ?? []) : [],
    ),
  );

const numberIn = (source: Json | undefined, key: string): number | null => {
  const value = isObject(source) ? source[key] : undefined;
  return typeof value === "number" ? value : null;
};

const optionsOf = ({ config }: Worker): JsonObject => {
  if (config.mode === "workflow") return config.options;
  return config.mode === "sub_agent" ? config.spec.options : {};
};

const sessionsOf = ({ config, audit }: Worker): { readonly own: string | null; readonly parent: string | null } =>
  config.mode === "sub_agent"
    ? { own: config.spec.session_id, parent: config.spec.parent_session_id ?? audit.parent_session_id }
    : { own: audit.session_id || null, parent: audit.parent_session_id };

const metadataOf = (
  worker: Worker,
  { reason, children }: StopRequest,
  tokens: { readonly budget: number | null; readonly used: number },
): JsonObject => {
  const { own, parent } = sessionsOf(worker);
  return {
    schema: HANDOFF_SCHEMA,
    stop_reason: reason,
    outcome: "stopped",
    worker_id: worker.id,
    worker_status: worker.status,
    worker_mode: worker.mode,
    session_id: own,
    parent_session_id: parent,
    workspace_anchor: null,
    token_budget: tokens.budget,
    tokens_used: tokens.used,
    snapshot_path: worker.snapshot_path,
    child_run_id: worker.child_run_id,
    child_run_path: worker.child_run_path,
    execution: worker.execution as unknown as JsonObject,
    child_handoffs: children.map((child) => child["handoff"] ?? null),
  };
};

/** The handoff to whoever takes over from a worker that is stopped (spec/workers 17.8, 3). */
const handoffOf = (
  worker: Worker,
  request: StopRequest & { readonly summary: string },
  context: Context,
): JsonObject => {
  const budget = numberIn(optionsOf(worker), "token_budget");
  const used = numberIn(worker.latest_payload, "tokens_used") ?? 0;
  const draft: JsonObject = {
    _type: "handoff_artifact",
    source_persona: filled(worker.name) ?? "sub-agent",
    target_persona_or_human: { kind: "persona", id: sessionsOf(worker).parent ?? PARENT, label: PARENT },
    task: filled(worker.task) ?? filled(worker.request.task) ?? worker.name,
    reason: request.summary,
    evidence_refs: evidenceOf(worker),
    files_or_entities_touched: filesOf(worker.artifacts),
    requested_capabilities: ["parent_takeover"],
    budget_remaining: {
      tokens: budget === null ? null : Math.max(0, budget - used),
      tool_calls: null,
      dollars: null,
    },
    confidence: worker.transcript === null ? 0.45 : 0.78,
    created_at: rfc3339(context.now),
    metadata: metadataOf(worker, request, { budget, used }),
  };
  const handoff = normalizeHandoff(draft, context, worker.audit.run_id);
  return { ...(handoff.ok ? (handoff.value as unknown as JsonObject) : draft), kind: "agent_stop" };
};

/** What a worker that is stopped gracefully leaves: its handoff and those of its own workers (spec/workers 17.8, 4). */
export const stopPayload = (worker: Worker, asked: StopRequest, context: Context): JsonObject => {
  const reason = filled(asked.reason) ?? DEFAULT_REASON;
  const { children } = asked;
  const summary = stopSummary(worker);
  const handoff = handoffOf(worker, { reason, children, summary }, context);
  return {
    _type: "agent_stop_result",
    schema: RESULT_SCHEMA,
    status: "stopped",
    stop_mode: "graceful",
    reason,
    worker_id: worker.id,
    session_id: sessionsOf(worker).own,
    summary,
    handoff,
    children,
    handoffs: [handoff, ...children.flatMap((child) => listIn(child, "handoffs"))],
  };
};
