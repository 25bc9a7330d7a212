import type { Json } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import type { ArtifactRecord, EvidenceRef, Handoff } from "../../schema/artifact.ts";
import { handoffValueIn, normalizeHandoff } from "./handoff.ts";
import { type ArtifactContext, type ArtifactInput, normalizeArtifact } from "./normalize.ts";
import { escapeMarkup } from "./render.ts";

const HANDOFF_PRIORITY = 85;

const block = (tag: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [`<${tag}>`, ...lines.map((line) => `- ${escapeMarkup(line)}`), `</${tag}>`];

const evidenceLine = (ref: EvidenceRef): string => {
  const parts: string[] = [];
  if (ref.label !== null) parts.push(ref.label);
  if (ref.artifact_id !== null) parts.push(`artifact_id=${ref.artifact_id}`);
  if (ref.path !== null) parts.push(`path=${ref.path}`);
  if (ref.uri !== null) parts.push(`uri=${ref.uri}`);
  if (ref.kind !== null) parts.push(`kind=${ref.kind}`);
  return parts.join(" | ");
};

const attributes = (pairs: readonly (readonly [string, string | null])[]): string =>
  pairs
    .filter(([, value]) => value !== null)
    .map(([name, value]) => ` ${name}="${escapeMarkup(value ?? "").replaceAll('"', "&quot;")}"`)
    .join("");

const budgetLine = (budget: Handoff["budget_remaining"]): readonly string[] => {
  if (budget === null) return [];
  const pairs = [
    ["tokens", budget.tokens === null ? null : String(budget.tokens)],
    ["tool_calls", budget.tool_calls === null ? null : String(budget.tool_calls)],
    ["dollars", budget.dollars === null ? null : budget.dollars.toFixed(4)],
  ] as const;
  return [`<budget_remaining${attributes(pairs)}/>`];
};

const deadlineLine = (deadline: Handoff["deadline_checkback"]): readonly string[] => {
  if (deadline === null) return [];
  const pairs = [
    ["deadline", deadline.deadline],
    ["checkback_at", deadline.checkback_at],
  ] as const;
  return [`<deadline_checkback${attributes(pairs)}/>`];
};

const targetName = (handoff: Handoff): string =>
  handoff.target_persona_or_human.label ?? handoff.target_persona_or_human.id ?? "unknown";

/** A handoff as the context text another stage reads (spec/workflow 1.15). */
export const renderHandoff = (handoff: Handoff): string =>
  [
    "<handoff>",
    `<source_persona>${escapeMarkup(handoff.source_persona)}</source_persona>`,
    `<target${attributes([["kind", handoff.target_persona_or_human.kind]])}>${escapeMarkup(targetName(handoff))}</target>`,
    `<task>${escapeMarkup(handoff.task)}</task>`,
    `<reason>${escapeMarkup(handoff.reason)}</reason>`,
    ...block("files_or_entities_touched", handoff.files_or_entities_touched),
    ...block("open_questions", handoff.open_questions),
    ...block("blocked_on", handoff.blocked_on),
    ...block("requested_capabilities", handoff.requested_capabilities),
    ...block("allowed_side_effects", handoff.allowed_side_effects),
    ...block("evidence_refs", handoff.evidence_refs.map(evidenceLine)),
    ...budgetLine(handoff.budget_remaining),
    ...deadlineLine(handoff.deadline_checkback),
    ...(handoff.confidence === null ? [] : [`<confidence>${handoff.confidence.toFixed(2)}</confidence>`]),
    "</handoff>",
  ].join("\n");

/** The artifact that carries a handoff; an existing one keeps its id, title, source, freshness and priority (spec/workflow 1.15). */
export const handoffToArtifact = (
  handoff: Handoff,
  context: ArtifactContext,
  existing: ArtifactInput = {},
): ArtifactRecord => {
  const text = renderHandoff(handoff);
  return normalizeArtifact(
    {
      ...existing,
      _type: "artifact",
      id: existing.id || `artifact_${handoff.id}`,
      kind: "handoff",
      title: existing.title ?? `Handoff to ${targetName(handoff)}`,
      text,
      // A handoff is plain JSON whose type only lacks an index signature.
      data: { ...handoff } as unknown as Json,
      source: existing.source ?? handoff.source_persona,
      created_at: existing.created_at || handoff.created_at,
      freshness: existing.freshness ?? "fresh",
      priority: existing.priority ?? HANDOFF_PRIORITY,
      relevance: handoff.confidence ?? 1,
      estimated_tokens: null,
      metadata: {
        ...existing.metadata,
        handoff_id: handoff.id,
        target_kind: handoff.target_persona_or_human.kind,
        target_label: handoff.target_persona_or_human.label,
      },
    },
    context,
  );
};

/**
 * The artifact around a valid handoff (spec/workflow 1.14).
 *
 * `given` is the artifact before decoding: the handoff is its data, or it is one itself, with fields no artifact has.
 */
export const normalizeHandoffArtifact = (
  decoded: ArtifactRecord,
  given: Json,
  context: ArtifactContext,
): Result<ArtifactRecord, string> => {
  const found = handoffValueIn(given);
  const handoff = found === null ? null : normalizeHandoff(found, context);
  if (handoff === null || !handoff.ok) return err("artifact handoff data must contain a valid handoff payload");
  // What a bare handoff calls its id or its creation is not the artifact's.
  return ok(handoffToArtifact(handoff.value, context, found === given ? {} : decoded));
};

/** A given artifact made normal; one of kind `handoff` must hold a valid handoff (spec/workflow 1.14, 15.2). */
export const constructArtifact = (
  decoded: ArtifactRecord,
  given: Json,
  context: ArtifactContext,
): Result<ArtifactRecord, string> =>
  decoded.kind === "handoff"
    ? normalizeHandoffArtifact(decoded, given, context)
    : ok(normalizeArtifact(decoded, context));
