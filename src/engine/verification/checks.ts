import { isObject, type Json, type JsonObject, valueAt } from "../../lib/json.ts";
import { parseJson } from "../../lib/json-text.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { VerificationRequirement } from "../../schema/policy.ts";
import { excerptAround, type VerificationCheck } from "./evidence.ts";

// The kinds of checks of a verification contract that need no command and no model (spec/workflow 1.13, 7.2).

/** What a contract is checked against: the stage's result, and what the stage works on where that counts too. */
export interface Subject {
  readonly result: JsonObject;
  /** The artifacts whose texts and paths count; none where only the result does. */
  readonly artifacts: readonly ArtifactRecord[];
}

const OUTPUT_KEYS = ["visible_text", "text", "stdout", "stderr"] as const;

const outputTexts = ({ result }: Subject): readonly string[] =>
  OUTPUT_KEYS.map((key) => result[key]).filter((text): text is string => typeof text === "string" && text !== "");

const visibleText = (result: JsonObject): string => {
  const text = Object.hasOwn(result, "visible_text") ? result["visible_text"] : result["text"];
  return typeof text === "string" ? text : "";
};

const artifactText = ({ text, data }: ArtifactRecord): string =>
  text ?? (data === null || data === undefined ? "" : JSON.stringify(data));

const allTexts = (subject: Subject): readonly string[] => [
  ...outputTexts(subject),
  ...subject.artifacts.map(artifactText),
];

const textsIn = (value: Json | undefined): readonly string[] =>
  (Array.isArray(value) ? (value as readonly Json[]) : [value ?? null]).filter(
    (item): item is string => typeof item === "string",
  );

/** The paths that artifacts name beside their texts. */
const pathsOf = ({ artifacts }: Subject): readonly string[] =>
  artifacts.flatMap(({ metadata, data }) => [
    ...textsIn(metadata["changed_paths"]),
    ...(isObject(data) ? [...textsIn(data["path"]), ...textsIn(data["paths"]), ...textsIn(data["changed_paths"])] : []),
  ]);

const isPartOfName = (character: string | undefined): boolean => character !== undefined && /[\w$]/.test(character);

/** Where an identifier stands as a whole, not as a part of a longer one; -1 when it does not. */
const identifierAt = (text: string, name: string): number => {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const startsInside = isPartOfName(name[0]) && isPartOfName(text[at - 1]);
    const endsInside = isPartOfName(name.at(-1)) && isPartOfName(text[at + name.length]);
    if (!startsInside && !endsInside) return at;
  }
  return -1;
};

type Place = (text: string, wanted: string) => number;

const anywhere: Place = (text, wanted) => text.indexOf(wanted);

const found = (requirement: VerificationRequirement, texts: readonly string[], place: Place): VerificationCheck => {
  const { kind, value, note } = requirement;
  const extra = note === null ? {} : { note };
  for (const text of texts) {
    const at = place(text, value);
    if (at >= 0) return { kind, ok: true, expected: value, excerpt: excerptAround(text, at, value.length), ...extra };
  }
  return { kind, ok: false, expected: value, actual: null, ...extra };
};

const statusOf = (result: JsonObject): number | null => {
  const key = ["exit_status", "status_code", "status"].find((name) => Object.hasOwn(result, name));
  const status = key === undefined ? null : result[key];
  return typeof status === "number" && Number.isInteger(status) ? status : null;
};

const jsonOf = ({ result, artifacts }: Subject): Json => {
  if (result["data"] !== undefined) return result["data"];
  const text = visibleText(result);
  const parsed = text === "" ? null : parseJson(text);
  if (parsed?.ok === true) return parsed.value;
  const newest = artifacts.at(-1)?.data;
  return isObject(newest) && newest["data"] !== undefined ? newest["data"] : ((newest as Json | undefined) ?? null);
};

/** `path=value`: the value at a dotted path of the result's data equals a JSON value, or else that very text. */
const jsonPathEquals = ({ kind, value, note }: VerificationRequirement, subject: Subject): VerificationCheck => {
  const divider = value.indexOf("=");
  const path = value.slice(0, Math.max(divider, 0)).trim();
  const wanted = value.slice(divider + 1).trim();
  const parsed = parseJson(wanted);
  const expected = parsed.ok ? parsed.value : wanted;
  const actual = valueAt(jsonOf(subject), path);
  const isEqual = divider > 0 && JSON.stringify(actual) === JSON.stringify(expected);
  return { kind, ok: isEqual, expected: value, actual: actual ?? null, ...(note === null ? {} : { note }) };
};

/** Checks one requirement; null for a kind that is only told to people and models. */
export const checkRequirement = (requirement: VerificationRequirement, subject: Subject): VerificationCheck | null => {
  const { kind, value, note } = requirement;
  switch (kind) {
    case "visible_text_contains":
      return found(requirement, [visibleText(subject.result)], anywhere);
    case "combined_output_contains":
      return found(requirement, outputTexts(subject), anywhere);
    case "expect_status": {
      const actual = statusOf(subject.result);
      const extra = note === null ? {} : { note };
      return { kind, ok: actual !== null && String(actual) === value, expected: value, actual, ...extra };
    }
    case "identifier":
      return found(requirement, allTexts(subject), identifierAt);
    case "path":
      return found(requirement, [...pathsOf(subject), ...allTexts(subject)], anywhere);
    case "text":
      return found(requirement, allTexts(subject), anywhere);
    case "json_path_equals":
      return jsonPathEquals(requirement, subject);
    default:
      return null;
  }
};
