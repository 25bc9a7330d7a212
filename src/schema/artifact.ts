import * as z from "zod";
import { err, ok, type Result } from "../lib/result.ts";
import { decodeDocument, type DecodeError } from "./decode.ts";
import {
  jsonMap,
  listOf,
  optionalInt,
  optionalJson,
  optionalNumber,
  optionalText,
  optionalUint,
  text,
  texts,
} from "./lenient.ts";

/** An artifact as it is given or stored; empty fields are filled by normalisation (spec/workflow 1.14). */
export const artifactSchema = z
  .object({
    _type: text,
    id: text,
    kind: text,
    title: optionalText,
    text: optionalText,
    data: optionalJson,
    source: optionalText,
    created_at: text,
    freshness: optionalText,
    priority: optionalInt,
    lineage: texts,
    relevance: optionalNumber,
    estimated_tokens: optionalUint,
    stage: optionalText,
    metadata: jsonMap,
  })
  .readonly();

/** One piece of evidence that stages read and write (spec/workflow 1.14). `created_at` is unix seconds as text. */
export type ArtifactRecord = z.output<typeof artifactSchema>;

const handoffTargetSchema = z.object({ kind: text, id: optionalText, label: optionalText }).readonly();

const evidenceRefSchema = z
  .object({ artifact_id: optionalText, kind: optionalText, label: optionalText, path: optionalText, uri: optionalText })
  .readonly();

const receiptLinkSchema = z
  .object({
    kind: text,
    label: optionalText,
    run_id: optionalText,
    artifact_id: optionalText,
    path: optionalText,
    href: optionalText,
  })
  .readonly();

/** A handoff as it is given or stored (spec/workflow 1.15). */
export const handoffSchema = z
  .object({
    _type: text,
    id: text,
    parent_run_id: optionalText,
    source_persona: text,
    target_persona_or_human: handoffTargetSchema.prefault({}),
    task: text,
    reason: text,
    evidence_refs: listOf(evidenceRefSchema),
    files_or_entities_touched: texts,
    open_questions: texts,
    blocked_on: texts,
    requested_capabilities: texts,
    allowed_side_effects: texts,
    budget_remaining: z
      .object({ tokens: optionalInt, tool_calls: optionalInt, dollars: optionalNumber })
      .readonly()
      .nullable()
      .default(null),
    deadline_checkback: z
      .object({ deadline: optionalText, checkback_at: optionalText })
      .readonly()
      .nullable()
      .default(null),
    confidence: optionalNumber,
    receipt_links: listOf(receiptLinkSchema),
    created_at: text,
    metadata: jsonMap,
  })
  .readonly();

/** Work passed from one persona to another or to a person (spec/workflow 1.15). */
export type Handoff = z.output<typeof handoffSchema>;

/** To whom a handoff goes. */
export type HandoffTarget = z.output<typeof handoffTargetSchema>;

/** What a handoff points at. */
export type EvidenceRef = z.output<typeof evidenceRefSchema>;

/** Where the receipt of a handoff can be found. */
export type ReceiptLink = z.output<typeof receiptLinkSchema>;

/** The artifacts of an input value: a list, or nothing at all; the error names the first bad field (spec/workflow 4.1). */
export const decodeArtifacts = (value: unknown): Result<readonly ArtifactRecord[], DecodeError> => {
  if (value === null || value === undefined) return ok([]);
  if (!Array.isArray(value)) return err({ message: "expected artifact list or nil", issues: [] });
  return decodeDocument(z.array(artifactSchema), "orchestration", value);
};

/** One artifact; the error names the first bad field (spec/workflow 0.1). */
export const decodeArtifact = (value: unknown): Result<ArtifactRecord, DecodeError> =>
  decodeDocument(artifactSchema, "orchestration", value);
