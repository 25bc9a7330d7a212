import { describe, expect, it } from "vitest";
import { holds, type Proof, proofs, proveFork, proveReplay } from "../prove/outcome.ts";

const RUNS = 120;

const kindsOf = (list: readonly Proof[]): ReadonlySet<string> => new Set(list.flatMap(({ kinds }) => kinds));

// Every kind and mode of stage that a run can have.
const KINDS = [
  "stage/llm",
  "stage/agent",
  "stage/function",
  "stage/http",
  "stage/external",
  "stage/sleep",
  "stage/wait",
  "map/map",
  "verify/command",
  "verify/function",
  "reduce/llm",
  "reduce/function",
  "condition/llm",
  "fork/llm",
  "join/llm",
  "escalation/llm",
];

describe("runs made from a recorded run", () => {
  it("[architecture] a fork without edits at any checkpoint comes to the same end", () => {
    const done = proofs(proveFork, RUNS);
    expect(done.filter((proof) => !holds(proof, "fork"))).toEqual([]);
    // The proof is worth something only where runs differ from each other, and show all that the engine does.
    expect(new Set(done.map(({ original }) => original)).size).toBeGreaterThan(RUNS / 2);
    expect(new Set(done.map(({ status }) => status))).toEqual(new Set(["completed", "paused"]));
    expect(kindsOf(done)).toEqual(new Set(KINDS));
    expect(done.filter(({ open }) => open > 0).length).toBeGreaterThan(RUNS / 20);
  });

  it("[W-12.5] a replay comes to the same end, calls no executor and orders nothing outside", () => {
    const done = proofs(proveReplay, RUNS);
    expect(done.filter((proof) => !holds(proof, "replay"))).toEqual([]);
    expect(kindsOf(done)).toEqual(new Set(KINDS));
    expect(done.reduce((sum, { stages }) => sum + stages, 0)).toBeGreaterThan(RUNS * 3);
  });
});
