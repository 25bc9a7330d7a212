import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runVector } from "./conformance.ts";
import { OPERATIONS } from "./operations/index.ts";
import { type Deviations, verdictOf } from "./report.ts";
import { parseVector } from "./vector.ts";

const read = (name: string): string => readFileSync(join(import.meta.dirname, name), "utf8");

const DEVIATIONS = JSON.parse(read("deviations.json")) as Deviations;

/** Vectors of features that do not exist yet, with the feature; each fails until it does. */
const PENDING = JSON.parse(read("pending.json")) as Readonly<Record<string, string>>;

const AREAS = "workflow artifacts policy queue replay schedule trigger dispatch webhook hitl lifecycle worker".split(
  " ",
);

describe.each(AREAS)("the vectors of %s", (area) => {
  const files = readdirSync(join(import.meta.dirname, "data", area)).filter((name) => name.endsWith(".json"));

  it.each(files)("%s", async (file) => {
    const vector = parseVector(read(`data/${area}/${file}`));
    const finding = await runVector(vector, OPERATIONS);
    const pending = Object.hasOwn(PENDING, `${area}/${file.replace(/\.json$/, "")}`);
    expect({ verdict: verdictOf(vector, finding, DEVIATIONS), differences: finding.differences }).toMatchObject({
      verdict: pending ? "failed" : expect.stringMatching(/^(passed|deviated|quirk)$/),
    });
  });
});
