import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { byCodePoint } from "../../src/lib/json.ts";
import { type Finding, runVector } from "./conformance.ts";
import { OPERATIONS } from "./operations/index.ts";
import { type Deviations, linesOf, summaryOf, type Verdict, verdictOf } from "./report.ts";
import { parseVector, type Vector } from "./vector.ts";

// Runs every vector under a directory, or one file, against the engine: node test/vectors/run.ts PATH

const DEVIATIONS = JSON.parse(readFileSync(join(import.meta.dirname, "deviations.json"), "utf8")) as Deviations;

const vectorFiles = (path: string): readonly string[] => {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".json"))
    .toSorted(byCodePoint)
    .map((name) => join(path, name));
};

const unreadable = (file: string, error: unknown): { readonly vector: Vector; readonly finding: Finding } => ({
  vector: { id: file, title: "cannot be read", strength: "must", given: {}, when: [], expected: new Map() },
  finding: {
    differences: [{ path: ".", text: error instanceof Error ? error.message : String(error) }],
    unfit: true,
    unreferenced: [],
  },
});

const check = async (file: string): Promise<{ readonly vector: Vector; readonly finding: Finding }> => {
  let vector: Vector;
  try {
    vector = parseVector(readFileSync(file, "utf8"));
  } catch (error) {
    return unreadable(file, error);
  }
  return { vector, finding: await runVector(vector, OPERATIONS) };
};

const main = async (path: string | undefined): Promise<number> => {
  if (path === undefined) {
    console.error("usage: node test/vectors/run.ts PATH");
    return 2;
  }
  const verdicts: Verdict[] = [];
  for (const file of vectorFiles(path)) {
    const { vector, finding } = await check(file);
    for (const line of linesOf(vector, finding, DEVIATIONS)) console.log(line);
    verdicts.push(verdictOf(vector, finding, DEVIATIONS));
  }
  if (verdicts.length === 0) console.error(`there is no vector under ${path}`);
  for (const line of summaryOf(verdicts)) console.log(line);
  return verdicts.length === 0 || verdicts.includes("failed") ? 1 : 0;
};

process.exitCode = await main(process.argv[2]);
