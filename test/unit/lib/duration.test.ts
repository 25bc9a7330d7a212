import { describe, expect, it } from "vitest";
import { parseDuration, parseTimeout } from "../../../src/lib/duration.ts";

const answer = (result: ReturnType<typeof parseDuration>): number | string => (result.ok ? result.value : result.error);

describe("durations", () => {
  it("[T-5.1] a period is a positive integer with a unit, trimmed and in either case", () => {
    const texts = ["30s", "5m", "2H", " 1d ", "3w"];
    expect(texts.map((text) => answer(parseDuration(text)))).toEqual([
      30_000, 300_000, 7_200_000, 86_400_000, 1_814_400_000,
    ]);
  });

  it.each([
    ["", "invalid duration '': expected <int><unit>"],
    ["s", "invalid duration 's': expected <int><unit>"],
    ["5", "invalid duration '5': expected <int><unit>"],
    ["10", "invalid duration '10': missing unit suffix"],
    ["abc", "invalid duration 'abc': expected <int><unit>"],
    ["-5s", "invalid duration '-5s': expected <int><unit>"],
    ["0s", "invalid duration '0s': duration must be positive"],
    ["0x", "invalid duration '0x': duration must be positive"],
    ["5x", "invalid duration '5x': unsupported unit 'x', expected s/m/h/d/w"],
    ["5ms", "invalid duration '5ms': unsupported unit 'ms', expected s/m/h/d/w"],
    ["1.5h", "invalid duration '1.5h': unsupported unit '.5h', expected s/m/h/d/w"],
    ["1constructor", "invalid duration '1constructor': unsupported unit 'constructor', expected s/m/h/d/w"],
    ["99999999999999999999s", "invalid duration '99999999999999999999s': expected <int><unit>"],
    ["9007199254740991w", "invalid duration '9007199254740991w': expected <int><unit>"],
  ])("[T-5.1] the period %j is refused", (text, error) => {
    expect(answer(parseDuration(text))).toBe(error);
  });

  it("[T-5.1] a timeout is an integer of milliseconds, or has a unit", () => {
    const texts = ["250", "0", "250ms", "2s", " 3m ", "1h"];
    expect(texts.map((text) => answer(parseTimeout(text)))).toEqual([250, 0, 250, 2_000, 180_000, 3_600_000]);
  });

  it.each([
    ["", "duration cannot be empty"],
    ["  ", "duration cannot be empty"],
    ["abc", "invalid duration 'abc'"],
    ["-1s", "invalid duration '-1s'"],
    ["9007199254740991h", "invalid duration '9007199254740991h'"],
    ["5d", "invalid duration unit in '5d'; expected ms, s, m, or h"],
    ["5toString", "invalid duration unit in '5toString'; expected ms, s, m, or h"],
  ])("[T-5.7] the timeout %j is refused", (text, error) => {
    expect(answer(parseTimeout(text))).toBe(error);
  });
});
