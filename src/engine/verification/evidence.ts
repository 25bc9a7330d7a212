import type { Json } from "../../lib/json.ts";

/** One thing that was looked at, and whether it held. */
export type VerificationCheck = {
  readonly kind: string;
  readonly ok: boolean;
  readonly expected: Json;
  readonly actual?: Json;
  /** Where it was found. */
  readonly excerpt?: string;
  readonly note?: string;
};

/**
 * What a verification says: `none` when there was nothing to check, else all checks together (spec/workflow 7.1). A
 * failed one has its findings.
 */
export type Verification = {
  readonly kind: string;
  readonly ok: boolean;
  readonly checks?: readonly VerificationCheck[];
  readonly findings?: readonly string[];
};

/** Longest text of a piece of evidence, in UTF-16 units. */
const MAX_EXCERPT = 500;
const MAX_CHECKS = 100;
const AROUND = 80;

const cut = (text: string): string => (text.length <= MAX_EXCERPT ? text : `${text.slice(0, MAX_EXCERPT - 3)}...`);

/** The text around a place, bounded. */
export const excerptAround = (text: string, at: number, length: number): string =>
  cut(text.slice(Math.max(at - AROUND, 0), Math.min(at + length + AROUND, text.length)));

const bounded = (value: Json): Json => {
  if (typeof value === "string") return cut(value);
  const text = JSON.stringify(value);
  return text.length <= MAX_EXCERPT ? value : cut(text);
};

const boundedCheck = ({ actual, excerpt, note, expected, ...check }: VerificationCheck): VerificationCheck => ({
  ...check,
  expected: bounded(expected),
  ...(actual === undefined ? {} : { actual: bounded(actual) }),
  ...(excerpt === undefined ? {} : { excerpt: cut(excerpt) }),
  ...(note === undefined ? {} : { note: cut(note) }),
});

const shown = (value: Json | undefined): string =>
  value === undefined || value === null ? "nothing" : typeof value === "string" ? value : JSON.stringify(value);

/** What is missing, as a person or a model is told (spec/workflow 6.9). */
export const findingOf = ({ kind, expected, actual }: VerificationCheck): string =>
  cut(`${kind}: expected ${shown(expected)}, got ${shown(actual)}`);

/**
 * Puts checks together as a verification whose size is bounded: excerpts, and a hundred checks, failed ones first kept.
 * `findings` are added to those of the failed checks.
 */
export const verificationOf = (
  kind: string,
  checks: readonly VerificationCheck[],
  findings: readonly string[] = [],
): Verification => {
  const isOk = checks.every((check) => check.ok);
  const failed = checks.filter((check) => !check.ok);
  const kept = checks.length <= MAX_CHECKS ? checks : [...failed, ...checks.filter((check) => check.ok)];
  const said = [...findings.map(cut), ...failed.map(findingOf)].slice(0, MAX_CHECKS);
  return {
    kind,
    ok: isOk,
    checks: kept.slice(0, MAX_CHECKS).map(boundedCheck),
    ...(isOk && said.length === 0 ? {} : { findings: said }),
  };
};
