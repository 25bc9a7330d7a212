import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { PlannerRound, TaskLedgerSummary } from "../../schema/observability.ts";
import type { RunStageRecord } from "../../schema/record.ts";

const countAt = (source: JsonObject, key: string): number => {
  const value = source[key];
  return typeof value === "number" && value > 0 ? value : 0;
};

const textAt = (source: JsonObject, key: string): string => {
  const value = source[key];
  return typeof value === "string" ? value : "";
};

const objectAt = (source: JsonObject, key: string): JsonObject => {
  const value = source[key];
  return isObject(value) ? value : {};
};

const listAt = (source: JsonObject, key: string): readonly Json[] => {
  const value = source[key];
  return Array.isArray(value) ? (value as readonly Json[]) : [];
};

/** The distinct names in a list of names or of objects with a name, in the order they first appear. */
const namesIn = (values: readonly Json[]): readonly string[] => {
  const names = new Set<string>();
  for (const value of values) {
    const name = isObject(value) ? textAt(value, "name") : typeof value === "string" ? value : "";
    if (name !== "") names.add(name);
  }
  return [...names];
};

const BLOCKING: ReadonlySet<string> = new Set(["open", "blocked"]);

const summarizeLedger = (value: Json | undefined): TaskLedgerSummary | null => {
  if (!isObject(value)) return null;
  const deliverables = listAt(value, "deliverables")
    .filter(isObject)
    .map((entry) => ({
      id: textAt(entry, "id"),
      text: textAt(entry, "text"),
      status: textAt(entry, "status"),
      note: textAt(entry, "note") || null,
    }));
  return {
    root_task: textAt(value, "root_task"),
    rationale: textAt(value, "rationale"),
    deliverables,
    observations: namesIn(listAt(value, "observations")),
    blocking_count: deliverables.filter((deliverable) => BLOCKING.has(deliverable.status)).length,
  };
};

const countsOf = (trace: JsonObject) => ({
  iteration_count: countAt(trace, "iterations"),
  llm_call_count: countAt(trace, "llm_calls"),
  tool_execution_count: countAt(trace, "tool_executions"),
  tool_rejection_count: countAt(trace, "tool_rejections"),
  intervention_count: countAt(trace, "interventions"),
  compaction_count: countAt(trace, "compactions"),
  native_text_tool_fallback_count: countAt(trace, "native_text_tool_fallbacks"),
  native_text_tool_fallback_rejection_count: countAt(trace, "native_text_tool_fallback_rejections"),
  empty_completion_retry_count: countAt(trace, "empty_completion_retries"),
});

/** The agent work of a stage, counted from the first of its artifacts that has data; null for other stages (spec/workflow 12.2). */
export const derivePlannerRound = (stage: RunStageRecord): PlannerRound | null => {
  const data = stage.artifacts.find((artifact) => artifact.data !== null)?.data;
  if (!isObject(data)) return null;
  const trace = objectAt(data, "trace");
  const tools = objectAt(data, "tools");
  const counts = countsOf(trace);
  const calls = namesIn(listAt(tools, "calls"));
  const used = calls.length > 0 ? calls : namesIn(listAt(trace, "tools_used"));
  const successful = namesIn(listAt(tools, "successful"));
  const rejected = countAt(data, "ledger_done_rejections");
  const ledger = summarizeLedger(data["task_ledger"]);
  const isAgentic =
    used.length > 0 ||
    successful.length > 0 ||
    rejected > 0 ||
    ledger !== null ||
    Object.values(counts).some((n) => n > 0);
  if (!isAgentic) return null;
  return {
    stage_id: stage.id,
    node_id: stage.node_id,
    stage_kind: stage.kind,
    status: stage.status,
    outcome: stage.outcome,
    ...counts,
    tools_used: used,
    successful_tools: successful,
    ledger_done_rejections: rejected,
    task_ledger: ledger,
    research_facts: ledger?.observations ?? [],
  };
};
