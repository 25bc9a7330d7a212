import { describe, expect, it } from "vitest";
import { type Proof, proofs, proveFork, proveReplay } from "../prove/outcome.ts";

const RUNS = 60;

const different = (list: readonly Proof[]): readonly Proof[] =>
  list.filter(({ original, made, untouched }) => original !== made || !untouched);

describe("runs made from a recorded run", () => {
  it("[architecture] a fork without edits at any checkpoint comes to the same end", () => {
    const done = proofs(proveFork, RUNS);
    expect(different(done)).toEqual([]);
    // The proof is worth something only where runs differ from each other.
    expect(new Set(done.map(({ original }) => original)).size).toBeGreaterThan(RUNS / 2);
    expect(new Set(done.map(({ status }) => status))).toEqual(new Set(["completed", "paused"]));
  });

  it("[W-12.5] a replay comes to the same end and calls no executor", () => {
    const done = proofs(proveReplay, RUNS);
    expect(different(done)).toEqual([]);
    expect(done.reduce((sum, { stages }) => sum + stages, 0)).toBeGreaterThan(RUNS * 3);
  });
});
