import * as z from "zod";
import { isObject, type Json } from "../lib/json.ts";
import type { Result } from "../lib/result.ts";
import { decodeDocument, type DecodeError } from "./decode.ts";
import { json, jsonMap, listOf, optionalJson, optionalNumber, optionalText, text, texts } from "./lenient.ts";

const thresholdsSchema = z
  .object({
    severity: optionalText,
    min_score: optionalNumber,
    min_confidence: optionalNumber,
    max_cost_usd: optionalNumber,
    max_latency_ms: optionalNumber,
    max_tokens: optionalNumber,
    max_stage_count: optionalNumber,
  })
  .readonly();

const thresholds = thresholdsSchema.prefault({});

const assertionSchema = z
  .object({ kind: text, stage: optionalText, contains: optionalText, expected: optionalJson })
  .readonly();

const fixtureSchema = z
  .object({ id: text, kind: text, path: optionalText, inline: optionalJson, metadata: jsonMap })
  .readonly();

const rubricSchema = z
  .object({
    id: text,
    kind: text,
    description: optionalText,
    prompt: optionalText,
    assertions: listOf(assertionSchema),
    judge: optionalJson,
    calibration: listOf(json),
    thresholds,
    metadata: jsonMap,
  })
  .readonly();

const caseSchema = z
  .object({
    id: optionalText,
    name: optionalText,
    description: optionalText,
    run: optionalText,
    run_path: optionalText,
    fixture: optionalText,
    fixture_path: optionalText,
    compare_to: optionalText,
    rubrics: texts,
    severity: optionalText,
    thresholds,
    metadata: jsonMap,
  })
  .readonly();

const evalPackSchema = z
  .object({
    version: z.number().int().nonnegative().default(0),
    id: text,
    name: optionalText,
    description: optionalText,
    baseline: optionalText,
    defaults: z.object({ severity: optionalText, thresholds, judge: optionalJson }).readonly().prefault({}),
    fixtures: listOf(fixtureSchema),
    rubrics: listOf(rubricSchema),
    judge: optionalJson,
    cases: z.array(caseSchema).max(100).readonly().prefault([]),
    metadata: jsonMap,
  })
  .readonly();

/** The manifest of an eval pack (spec/workflow 12.7). */
export type EvalPack = z.output<typeof evalPackSchema>;

/** One run that a pack judges. */
export type EvalPackCase = z.output<typeof caseSchema>;

/** How a pack judges runs. */
export type EvalRubric = z.output<typeof rubricSchema>;

/** What a rubric asserts about a run. */
export type EvalAssertion = z.output<typeof assertionSchema>;

/** Bounds of a case. */
export type EvalThresholds = z.output<typeof thresholdsSchema>;

/** Keys whose values are the author's own and keep their names. */
const OPAQUE = new Set(["metadata", "inline", "expected", "judge", "calibration"]);

const withoutDashes = (value: Json): Json => {
  if (Array.isArray(value)) return (value as readonly Json[]).map(withoutDashes);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      const name = key.replaceAll("-", "_");
      return [name, OPAQUE.has(name) ? member : withoutDashes(member)];
    }),
  );
};

/** A given manifest, its keys in snake_case or kebab-case; version 0 means 1 (spec/workflow 12.7). */
export const decodeEvalPack = (value: Json): Result<EvalPack, DecodeError> => {
  const pack = decodeDocument(evalPackSchema, "orchestration", withoutDashes(value));
  return pack.ok ? { ok: true, value: { ...pack.value, version: pack.value.version || 1 } } : pack;
};
