import type { Finding } from "./conformance.ts";
import type { Vector } from "./vector.ts";

/** Reasons why vectors are deviated from on purpose, by vector id. */
export type Deviations = Readonly<Record<string, string>>;

/** How a vector counts. */
export type Verdict = "passed" | "failed" | "deviated" | "quirk";

/** A quirk and a deviation on purpose are reported and do not fail, as long as the vector was really put to the test. */
export const verdictOf = (vector: Vector, finding: Finding, deviations: Deviations): Verdict => {
  if (finding.differences.length === 0) return "passed";
  if (finding.unfit) return "failed";
  if (Object.hasOwn(deviations, vector.id)) return "deviated";
  return vector.strength === "quirk" ? "quirk" : "failed";
};

const HEADINGS: Readonly<Record<Exclude<Verdict, "passed">, string>> = {
  failed: "FAILED",
  deviated: "DEVIATED",
  quirk: "QUIRK DIFFERS",
};

/** The lines about one vector: none for one that passed. */
export const linesOf = (vector: Vector, finding: Finding, deviations: Deviations): readonly string[] => {
  const verdict = verdictOf(vector, finding, deviations);
  if (verdict === "passed") {
    return Object.hasOwn(deviations, vector.id) ? [`${vector.id} passes although it is listed as deviated`] : [];
  }
  const reason = verdict === "deviated" ? ` (${deviations[vector.id] ?? ""})` : "";
  return [
    `${HEADINGS[verdict]} ${vector.id}: ${vector.title}${reason}`,
    ...finding.differences.map(({ path, text }) => `    ${path}: ${text}`),
    ...finding.unreferenced.map((name) => `    given.${name} is not referenced`),
  ];
};

/** The closing lines; the last one is what machines read. */
export const summaryOf = (verdicts: readonly Verdict[]): readonly string[] => {
  const count = (verdict: Verdict): number => verdicts.filter((each) => each === verdict).length;
  return [
    `${count("deviated")} deviated, ${count("quirk")} quirks differ`,
    `${count("passed")} passed, ${count("failed")} failed`,
  ];
};
