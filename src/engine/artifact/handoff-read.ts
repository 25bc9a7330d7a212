import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { EvidenceRef, Handoff, HandoffTarget, ReceiptLink } from "../../schema/artifact.ts";

/** The first field that could not be read; the readers below fill it in and carry on. */
interface Problems {
  first: string | null;
}

const report = (problems: Problems, field: string, expected: string): void => {
  problems.first ??= `${field}: expected ${expected}`;
};

const textAt = (source: JsonObject, field: string, problems: Problems): string => {
  const value = source[field];
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  report(problems, field, "a string");
  return "";
};

const optionalTextAt = (source: JsonObject, field: string, problems: Problems): string | null => {
  const value = source[field];
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  report(problems, field, "a string");
  return null;
};

const optionalNumberAt = (source: JsonObject, field: string, problems: Problems): number | null => {
  const value = source[field];
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return value;
  report(problems, field, "a number");
  return null;
};

const listAt = (source: JsonObject, field: string, problems: Problems): readonly Json[] => {
  const value = source[field];
  if (value === undefined) return [];
  if (Array.isArray(value)) return value as readonly Json[];
  report(problems, field, "a list");
  return [];
};

const textsAt = (source: JsonObject, field: string, problems: Problems): readonly string[] => {
  const values: string[] = [];
  for (const entry of listAt(source, field, problems)) {
    if (typeof entry === "string") values.push(entry);
    else report(problems, field, "a list of strings");
  }
  return values;
};

const objectsAt = (source: JsonObject, field: string, problems: Problems): readonly JsonObject[] => {
  const values: JsonObject[] = [];
  for (const entry of listAt(source, field, problems)) {
    if (isObject(entry)) values.push(entry);
    else report(problems, field, "a list of objects");
  }
  return values;
};

const optionalObjectAt = (source: JsonObject, field: string, problems: Problems): JsonObject | null => {
  const value = source[field];
  if (value === undefined || value === null) return null;
  if (isObject(value)) return value;
  report(problems, field, "an object");
  return null;
};

const readTarget = (source: JsonObject, problems: Problems): HandoffTarget => {
  const target = source["target_persona_or_human"];
  if (target !== undefined && !isObject(target)) report(problems, "target_persona_or_human", "an object");
  const fields = isObject(target) ? target : {};
  return {
    kind: textAt(fields, "kind", problems),
    id: optionalTextAt(fields, "id", problems),
    label: optionalTextAt(fields, "label", problems),
  };
};

const readEvidence =
  (problems: Problems) =>
  (source: JsonObject): EvidenceRef => ({
    artifact_id: optionalTextAt(source, "artifact_id", problems),
    kind: optionalTextAt(source, "kind", problems),
    label: optionalTextAt(source, "label", problems),
    path: optionalTextAt(source, "path", problems),
    uri: optionalTextAt(source, "uri", problems),
  });

const readReceipt =
  (problems: Problems) =>
  (source: JsonObject): ReceiptLink => ({
    kind: textAt(source, "kind", problems),
    label: optionalTextAt(source, "label", problems),
    run_id: optionalTextAt(source, "run_id", problems),
    artifact_id: optionalTextAt(source, "artifact_id", problems),
    path: optionalTextAt(source, "path", problems),
    href: optionalTextAt(source, "href", problems),
  });

const readBudget = (source: JsonObject, problems: Problems): Handoff["budget_remaining"] => {
  const budget = optionalObjectAt(source, "budget_remaining", problems);
  if (budget === null) return null;
  return {
    tokens: optionalNumberAt(budget, "tokens", problems),
    tool_calls: optionalNumberAt(budget, "tool_calls", problems),
    dollars: optionalNumberAt(budget, "dollars", problems),
  };
};

const readDeadline = (source: JsonObject, problems: Problems): Handoff["deadline_checkback"] => {
  const deadline = optionalObjectAt(source, "deadline_checkback", problems);
  if (deadline === null) return null;
  return {
    deadline: optionalTextAt(deadline, "deadline", problems),
    checkback_at: optionalTextAt(deadline, "checkback_at", problems),
  };
};

/** A handoff as it was read, or the first field that could not be read. */
export type ReadHandoff = { readonly handoff: Handoff; readonly problem: string | null };

/**
 * Reads a handoff out of a JSON object, leniently: a missing field is empty, an unknown one ignored (spec/workflow 0.1).
 *
 * The engine finds handoffs inside artifact data, where no schema has looked before; this is its own reader.
 */
export const readHandoff = (source: JsonObject): ReadHandoff => {
  const problems: Problems = { first: null };
  const handoff: Handoff = {
    _type: "handoff_artifact",
    id: textAt(source, "id", problems),
    parent_run_id: optionalTextAt(source, "parent_run_id", problems),
    source_persona: textAt(source, "source_persona", problems),
    target_persona_or_human: readTarget(source, problems),
    task: textAt(source, "task", problems),
    reason: textAt(source, "reason", problems),
    evidence_refs: objectsAt(source, "evidence_refs", problems).map(readEvidence(problems)),
    files_or_entities_touched: textsAt(source, "files_or_entities_touched", problems),
    open_questions: textsAt(source, "open_questions", problems),
    blocked_on: textsAt(source, "blocked_on", problems),
    requested_capabilities: textsAt(source, "requested_capabilities", problems),
    allowed_side_effects: textsAt(source, "allowed_side_effects", problems),
    budget_remaining: readBudget(source, problems),
    deadline_checkback: readDeadline(source, problems),
    confidence: optionalNumberAt(source, "confidence", problems),
    receipt_links: objectsAt(source, "receipt_links", problems).map(readReceipt(problems)),
    created_at: textAt(source, "created_at", problems),
    metadata: source["metadata"] === undefined ? {} : (optionalObjectAt(source, "metadata", problems) ?? {}),
  };
  return { handoff, problem: problems.first };
};
