import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { evaluateVerification } from "./evaluate.ts";
import type { VerificationCheck } from "./evidence.ts";

/** Where a result carries what was seen in its texts before they became bodies; only trusted code may write it. */
const EVIDENCE = "__checks";

const READS_TEXT: ReadonlySet<string> = new Set(["assert_text", "expect_text"]);

/** What a node's `verify` says about the texts of a result, for when they can no longer be read (spec/workflow 7.1). */
export const textEvidence = (verify: Json, result: JsonObject): readonly VerificationCheck[] =>
  (evaluateVerification(verify, result).checks ?? []).filter(({ kind }) => READS_TEXT.has(kind));

/** The result with this evidence instead of any that it came with; the same object when there is none on either side. */
export const withEvidence = (result: JsonObject, evidence: readonly VerificationCheck[]): JsonObject => {
  const own = takeEvidence(result).result;
  return evidence.length === 0 ? own : { ...own, [EVIDENCE]: evidence };
};

const isCheck = (value: Json): value is VerificationCheck =>
  isObject(value) && typeof value["kind"] === "string" && typeof value["ok"] === "boolean";

/** A result without its evidence, and the evidence. */
export const takeEvidence = (
  result: JsonObject,
): { readonly result: JsonObject; readonly evidence: readonly VerificationCheck[] } => {
  if (!Object.hasOwn(result, EVIDENCE)) return { result, evidence: [] };
  const { [EVIDENCE]: given, ...own } = result;
  return { result: own, evidence: Array.isArray(given) ? (given as readonly Json[]).filter(isCheck) : [] };
};

/** The settings of a node's `verify` that look into texts; null when it has none. */
export const textChecks = (verify: Json): JsonObject | null => {
  if (!isObject(verify)) return null;
  const checks = Object.entries(verify).filter(([key, value]) => READS_TEXT.has(key) && typeof value === "string");
  return checks.length === 0 ? null : Object.fromEntries(checks);
};
