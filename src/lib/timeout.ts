import { err, ok, type Result } from "./result.ts";

const UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/** A time limit `<int>[ms|s|m|h]` in milliseconds, a bare number being milliseconds (spec/triggers 5.1, 5.7). */
export const parseTimeout = (raw: string): Result<number, string> => {
  const text = raw.trim();
  if (text === "") return err("duration cannot be empty");
  const [, digits = "", unit = ""] = /^(\d*)(.*)$/s.exec(text) ?? [];
  const amount = Number(digits);
  if (digits === "" || !Number.isSafeInteger(amount)) return err(`invalid duration '${raw}'`);
  const factor = UNITS.get(unit.trim());
  if (factor === undefined) return err(`invalid duration unit in '${raw}'; expected ms, s, m, or h`);
  return Number.isSafeInteger(amount * factor) ? ok(amount * factor) : err(`invalid duration '${raw}'`);
};
