import { describe, expect, it } from "vitest";
import { isDiagnosticLine, microcompact } from "../../../src/engine/artifact/microcompact.ts";

const filler = (count: number): string => Array.from({ length: count }, (_, i) => `line ${i} of the log`).join("\n");

describe("the snipper", () => {
  it("[W-14.5] a short text, or any text under a limit below 200, is unchanged", () => {
    expect(microcompact("short", 200)).toBe("short");
    const long = "x".repeat(1000);
    expect(microcompact(long, 1000)).toBe(long);
    expect(microcompact(long, 199)).toBe(long);
  });

  it("[W-14.5] without diagnostics the middle is cut and counted", () => {
    const text = microcompact("x".repeat(1000), 200);
    expect(text).toBe(`${"x".repeat(100)}\n\n[... 800 characters snipped ...]\n\n${"x".repeat(100)}`);
  });

  it("[W-14.5] cuts snap to line boundaries", () => {
    const text = microcompact(filler(500), 400);
    const [head, tail] = text.split(/\n\n\[\.\.\. \d+ characters snipped \.\.\.\]\n\n/);
    const lines = new Set(filler(500).split("\n"));
    for (const line of (head ?? "").trimEnd().split("\n")) expect(lines).toContain(line);
    for (const line of (tail ?? "").split("\n")) expect(lines).toContain(line);
  });

  it("[W-14.5] lines that explain a failure are kept from the middle", () => {
    const text = microcompact(`${filler(200)}\nsrc/a.ts:12: expected 3, got 4\n--- FAIL: TestX\n${filler(200)}`, 1000);
    expect(text).toContain(
      "\n\n[diagnostic lines preserved]\nsrc/a.ts:12: expected 3, got 4\n--- FAIL: TestX\n\n[... output compacted ...]\n\n",
    );
    expect(text.length).toBeLessThanOrEqual(1000);
  });

  it("[W-14.5] at most 32 lines are kept", () => {
    const text = microcompact(`${"error: x\n".repeat(40)}${filler(300)}`, 2000);
    const kept = text.split("[diagnostic lines preserved]\n")[1]?.split("\n\n[... output")[0];
    expect(kept?.split("\n")).toHaveLength(32);
  });

  it("[W-14.5] diagnostics that leave less than 80 characters to each side are given up", () => {
    const text = microcompact(`error: ${"y".repeat(300)}\n${"x".repeat(1000)}`, 400);
    expect(text).not.toContain("diagnostic lines preserved");
    expect(text).toContain("characters snipped");
  });

  it.each(["", "a"])("[W-14.5] a cut never splits a character at either end (prefix %j)", (prefix) => {
    const text = microcompact(`${prefix}${"😀".repeat(500)}a`, 400);
    expect(text).toContain("characters snipped");
    expect(text.isWellFormed()).toBe(true);
  });

  it.each([
    ["--- FAIL: TestX", true],
    ["thread main Panicked", true],
    ["goroutine panic", true],
    ["a.go:3: unused variable", true],
    ["a.go: unused variable", false],
    ["a.go:3: all fine", false],
    ["note: see below: 3 missing", true],
    ["x: y:3 missing", false],
    ["there was an error here", true],
    ["errors", false],
    ["all good", false],
  ])("[W-14.5] %j is a diagnostic line: %j", (line, expected) => {
    expect(isDiagnosticLine(line)).toBe(expected);
  });
});
