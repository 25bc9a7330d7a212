import { err, ok, type Result } from "./result.ts";

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };
const TIMEOUT_UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Digits, and the rest of the text behind them. */
const split = (text: string): readonly [digits: string, rest: string] => {
  const digits = /^\d*/.exec(text)?.[0] ?? "";
  return [digits, text.slice(digits.length)];
};

const isCount = (digits: string, unit: number): boolean =>
  digits !== "" && Number.isSafeInteger(Number(digits)) && Number.isSafeInteger(Number(digits) * unit);

/**
 * The milliseconds of a period of flow control: `<positive int><s|m|h|d|w>` with spaces around it, in either case; the
 * error is a whole sentence (spec/triggers 5.1).
 */
export const parseDuration = (raw: string): Result<number, string> => {
  const wrong = (reason: string): Result<never, string> => err(`invalid duration '${raw}': ${reason}`);
  const text = raw.trim();
  if (text.length < 2) return wrong("expected <int><unit>");
  const [digits, unit] = split(text);
  if (unit === "") return wrong("missing unit suffix");
  if (!isCount(digits, 1)) return wrong("expected <int><unit>");
  if (Number(digits) === 0) return wrong("duration must be positive");
  const key = unit.toLowerCase();
  const seconds = Object.hasOwn(UNIT_SECONDS, key) ? UNIT_SECONDS[key] : undefined;
  if (seconds === undefined) return wrong(`unsupported unit '${unit}', expected s/m/h/d/w`);
  return isCount(digits, seconds * 1_000) ? ok(Number(digits) * seconds * 1_000) : wrong("expected <int><unit>");
};

/** The milliseconds of a timeout: `<int>[ms|s|m|h]`, without a unit milliseconds (spec/triggers 5.1, 5.7). */
export const parseTimeout = (raw: string): Result<number, string> => {
  const text = raw.trim();
  if (text === "") return err("duration cannot be empty");
  const [digits, unit] = split(text);
  if (!isCount(digits, 1)) return err(`invalid duration '${raw}'`);
  const scale = unit === "" ? 1 : Object.hasOwn(TIMEOUT_UNIT_MS, unit) ? TIMEOUT_UNIT_MS[unit] : undefined;
  if (scale === undefined) return err(`invalid duration unit in '${raw}'; expected ms, s, m, or h`);
  return isCount(digits, scale) ? ok(Number(digits) * scale) : err(`invalid duration '${raw}'`);
};
