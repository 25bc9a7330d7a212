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

const isInOutput = (result: JsonObject, expected: string): boolean =>
  OUTPUT_KEYS.some((key) => textOr(result[key], "").includes(expected));

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
 * without `expect_status` a command that exits with anything but 0 fails.
 */
export const evaluateVerification = (verify: Json, result: Json): Verification => {
  if (!isObject(verify)) return { kind: "none", ok: true };
  const output = isObject(result) ? result : {};
  const checks: VerificationCheck[] = [];
  const asserted = verify["assert_text"];
  if (typeof asserted === "string") {
    const visible = textOr(firstPresent(output, ["visible_text", "text"]), "");
    checks.push({ kind: "assert_text", ok: visible.includes(asserted), expected: asserted });
  }
  const status = statusCheck(verify, output);
  if (status !== null) checks.push(status);
  const wanted = verify["expect_text"];
  if (typeof wanted === "string") {
    checks.push({ kind: "expect_text", ok: isInOutput(output, wanted), expected: wanted });
  }
  if (checks.length === 0) return { kind: "none", ok: true };
  return { kind: "composite", ok: checks.every((check) => check.ok), checks };
};
