import { describe, expect, it } from "vitest";
import { createLog, type LogOptions } from "../../../src/local/log.ts";

const at = new Date("2026-11-20T10:11:12.345Z");

const written = (options: Pick<LogOptions, "json" | "level">, message: string): readonly string[] => {
  const lines: string[] = [];
  const log = createLog({ ...options, out: (line) => lines.push(line), now: () => at });
  log.write("warn", message, { from: "worker", objects: 3 });
  log.write("debug", "not worth a line");
  return lines;
};

describe("the log", () => {
  it("writes one line for a message, whatever the message holds", () => {
    const [line, ...more] = written({ json: false, level: "info" }, "\u001b[31mfirst\u001b[0m\n  second\n");
    expect(more).toEqual([]);
    expect(line).toMatch(/^\d\d:\d\d:12 warn {2}first \| second {2}from=worker {2}objects=3$/);
  });

  it("writes JSON lines with the fields beside the message", () => {
    const lines = written({ json: true, level: "info" }, "told");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { at: at.toISOString(), level: "warn", message: "told", from: "worker", objects: 3 },
    ]);
  });

  it("leaves out what is less serious than its level", () => {
    expect(written({ json: false, level: "error" }, "told")).toEqual([]);
  });
});
