import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { unixSeconds } from "../../lib/time.ts";
import type { Handoff, HandoffTarget, ReceiptLink } from "../../schema/artifact.ts";
import { readHandoff } from "./handoff-read.ts";
import type { ArtifactContext } from "./normalize.ts";

/** A text without surrounding space, or null when nothing is left of it. */
const blankToNull = (text: string | null): string | null => {
  const trimmed = text?.trim() ?? "";
  return trimmed === "" ? null : trimmed;
};

const distinctTexts = (texts: readonly string[]): readonly string[] => {
  const distinct = new Set<string>();
  for (const text of texts) {
    const trimmed = text.trim();
    if (trimmed !== "") distinct.add(trimmed);
  }
  return [...distinct];
};

const normalizeTarget = (target: HandoffTarget): HandoffTarget => ({
  kind: target.kind.trim() === "human" ? "human" : "persona",
  id: blankToNull(target.id),
  label: blankToNull(target.label),
});

const normalizeReceipt = (link: ReceiptLink): ReceiptLink => ({
  kind: blankToNull(link.kind) ?? "run_receipt",
  label: blankToNull(link.label),
  run_id: blankToNull(link.run_id),
  artifact_id: blankToNull(link.artifact_id),
  path: blankToNull(link.path),
  href: blankToNull(link.href),
});

const clampConfidence = (confidence: number | null): number | null =>
  confidence === null ? null : Math.min(1, Math.max(0, confidence));

const firstMissing = (handoff: Handoff): string | null => {
  if (handoff.source_persona === "") return "source_persona";
  const { id, label } = handoff.target_persona_or_human;
  if (id === null && label === null) return "target_persona_or_human";
  if (handoff.task === "") return "task";
  return handoff.reason === "" ? "reason" : null;
};

/**
 * A trimmed, complete handoff, or why it is none (spec/workflow 1.15).
 *
 * A handoff without a parent run gets `parentRunId`, the run of the current mutation session.
 */
export const normalizeHandoff = (
  value: Json,
  context: ArtifactContext,
  parentRunId: string | null = null,
): Result<Handoff, string> => {
  if (!isObject(value)) return err("handoff parse error: expected an object");
  const { handoff: read, problem } = readHandoff(value);
  if (problem !== null) return err(`handoff parse error: ${problem}`);
  const handoff: Handoff = {
    ...read,
    source_persona: read.source_persona.trim(),
    target_persona_or_human: normalizeTarget(read.target_persona_or_human),
    task: read.task.trim(),
    reason: read.reason.trim(),
    parent_run_id: read.parent_run_id ?? parentRunId,
    files_or_entities_touched: distinctTexts(read.files_or_entities_touched),
    open_questions: distinctTexts(read.open_questions),
    blocked_on: distinctTexts(read.blocked_on),
    requested_capabilities: distinctTexts(read.requested_capabilities),
    allowed_side_effects: distinctTexts(read.allowed_side_effects),
    confidence: clampConfidence(read.confidence),
    receipt_links: read.receipt_links.map(normalizeReceipt),
  };
  const missing = firstMissing(handoff);
  if (missing !== null) return err(`handoff ${missing} is required`);
  return ok({
    ...handoff,
    id: handoff.id || context.nextId("handoff"),
    created_at: handoff.created_at || unixSeconds(context.now),
  });
};

const HANDOFF_KEYS = ["source_persona", "target_persona_or_human", "task"] as const;

/** True for an object that says it is a handoff or has its three telling fields (spec/workflow 1.15). */
export const isHandoffLike = (value: Json | undefined): value is JsonObject =>
  isObject(value) && (value["_type"] === "handoff_artifact" || HANDOFF_KEYS.every((key) => Object.hasOwn(value, key)));

/** The raw handoff in a value: itself, the data of an artifact, or what an agent's handed-over state holds (spec/workflow 1.15). */
export const handoffValueIn = (value: Json | undefined): JsonObject | null => {
  if (!isObject(value)) return null;
  if (value["_type"] === "agent_state_handoff") {
    return [value["handoff"], value["summary"]].find(isHandoffLike) ?? null;
  }
  const isArtifact = value["_type"] === "artifact" || value["kind"] === "handoff";
  if (isArtifact && isHandoffLike(value["data"])) return value["data"];
  return isHandoffLike(value) ? value : null;
};

const CONTAINER_KEYS = ["handoffs", "artifacts", "run", "result"] as const;

/**
 * Every handoff in a value, its `handoffs`, `artifacts`, `run` and `result`, at any depth (spec/workflow 1.15).
 *
 * What looks like a handoff but is incomplete is left out.
 */
export const extractHandoffs = (value: Json, context: ArtifactContext): readonly Handoff[] => {
  const found: Handoff[] = [];
  const pending: Json[] = [value];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (Array.isArray(next)) {
      for (const entry of (next as readonly Json[]).toReversed()) pending.push(entry);
      continue;
    }
    if (!isObject(next)) continue;
    const candidate = handoffValueIn(next);
    if (candidate !== null) {
      const handoff = normalizeHandoff(candidate, context);
      if (handoff.ok) found.push(handoff.value);
      continue;
    }
    for (const key of CONTAINER_KEYS.toReversed()) {
      const inner = next[key];
      if (inner !== undefined) pending.push(inner);
    }
  }
  return mergeHandoffs(found);
};

const receiptKey = (link: ReceiptLink): string =>
  JSON.stringify([link.kind, link.run_id, link.artifact_id, link.path, link.href]);

const unionReceipts = (left: readonly ReceiptLink[], right: readonly ReceiptLink[]): readonly ReceiptLink[] => {
  const links = new Map<string, ReceiptLink>();
  for (const link of [...left, ...right]) {
    const key = receiptKey(link);
    if (!links.has(key)) links.set(key, link);
  }
  return [...links.values()];
};

const fuller = <Item>(left: readonly Item[], right: readonly Item[]): readonly Item[] =>
  left.length > 0 ? left : right;

const mergeTwo = (left: Handoff, right: Handoff): Handoff => ({
  ...left,
  parent_run_id: left.parent_run_id ?? right.parent_run_id,
  source_persona: left.source_persona || right.source_persona,
  target_persona_or_human: {
    kind: left.target_persona_or_human.kind || right.target_persona_or_human.kind,
    id: left.target_persona_or_human.id ?? right.target_persona_or_human.id,
    label: left.target_persona_or_human.label ?? right.target_persona_or_human.label,
  },
  task: left.task || right.task,
  reason: left.reason || right.reason,
  evidence_refs: fuller(left.evidence_refs, right.evidence_refs),
  files_or_entities_touched: fuller(left.files_or_entities_touched, right.files_or_entities_touched),
  open_questions: fuller(left.open_questions, right.open_questions),
  blocked_on: fuller(left.blocked_on, right.blocked_on),
  requested_capabilities: fuller(left.requested_capabilities, right.requested_capabilities),
  allowed_side_effects: fuller(left.allowed_side_effects, right.allowed_side_effects),
  budget_remaining: left.budget_remaining ?? right.budget_remaining,
  deadline_checkback: left.deadline_checkback ?? right.deadline_checkback,
  confidence: left.confidence ?? right.confidence,
  receipt_links: unionReceipts(left.receipt_links, right.receipt_links),
  created_at: left.created_at || right.created_at,
  metadata: { ...right.metadata, ...left.metadata },
});

/** One handoff per id, in order of first appearance; the earlier wins where it says something (spec/workflow 1.15). */
export const mergeHandoffs = (handoffs: readonly Handoff[]): readonly Handoff[] => {
  const merged = new Map<string, Handoff>();
  for (const handoff of handoffs) {
    const known = merged.get(handoff.id);
    merged.set(handoff.id, known === undefined ? handoff : mergeTwo(known, handoff));
  }
  return [...merged.values()];
};
