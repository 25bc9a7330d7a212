import { hasMarker } from "../../lib/body-marker.ts";
import { isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { Verification, VerificationCheck } from "./evidence.ts";

/** The value of the first of these keys that is present, also when it is null (spec/workflow 4.6). */
export const firstPresent = (source: JsonObject, keys: readonly string[]): Json | undefined => {
  const key = keys.find((candidate) => Object.hasOwn(source, candidate));
  return key === undefined ? undefined : source[key];
};

const textOr = (value: Json | undefined, otherwise: string): string => (typeof value === "string" ? value : otherwise);

const integerOrNull = (value: Json | undefined): number | null =>
  typeof value === "number" && Number.isInteger(value) ? value : null;

const exitStatusOf = (result: JsonObject): number | null =>
  integerOrNull(firstPresent(result, ["exit_status", "status_code", "status"]));

const OUTPUT_KEYS = ["visible_text", "text", "stdout", "stderr"] as const;

/** Of a text that is kept as a body only the evidence knows what is in it. */
const containsText = (
  texts: readonly string[],
  check: { readonly kind: string; readonly expected: string },
  evidence: readonly VerificationCheck[],
): boolean => {
  if (texts.some((text) => text.includes(check.expected))) return true;
  const seen = evidence.find(({ kind, expected }) => kind === check.kind && expected === check.expected);
  return seen?.ok === true && texts.some(hasMarker);
};

const outputOf = (result: JsonObject): readonly string[] => OUTPUT_KEYS.map((key) => textOr(result[key], ""));

const statusCheck = (verify: JsonObject, result: JsonObject): VerificationCheck | null => {
  const actual = exitStatusOf(result);
  const expected = integerOrNull(verify["expect_status"]);
  if (expected !== null) return { kind: "expect_status", ok: actual === expected, expected, actual };
  // A command that fails is a failed verification, unless the author expects that status.
  const commandFailed = typeof result["command"] === "string" && actual !== null && actual !== 0;
  return commandFailed ? { kind: "exit_status", ok: false, expected: 0, actual } : null;
};

/**
 * Checks a result against a node's `verify` settings (spec/workflow 7.1).
 *
 * `assert_text` must be in the visible text, `expect_text` anywhere in the output, `expect_status` is the exit status;
 * without `expect_status` a command that exits with anything but 0 fails. `evidence` says what was found in texts that
 * have become bodies since.
 */
export const evaluateVerification = (
  verify: Json,
  result: Json,
  evidence: readonly VerificationCheck[] = [],
): Verification => {
  if (!isObject(verify)) return { kind: "none", ok: true };
  const output = isObject(result) ? result : {};
  const checks: VerificationCheck[] = [];
  const asserted = verify["assert_text"];
  if (typeof asserted === "string") {
    const visible = textOr(firstPresent(output, ["visible_text", "text"]), "");
    const check = { kind: "assert_text", expected: asserted };
    checks.push({ ...check, ok: containsText([visible], check, evidence) });
  }
  const status = statusCheck(verify, output);
  if (status !== null) checks.push(status);
  const wanted = verify["expect_text"];
  if (typeof wanted === "string") {
    const check = { kind: "expect_text", expected: wanted };
    checks.push({ ...check, ok: containsText(outputOf(output), check, evidence) });
  }
  if (checks.length === 0) return { kind: "none", ok: true };
  return { kind: "composite", ok: checks.every((check) => check.ok), checks };
};
