import { parseTimeout } from "../lib/timeout.ts";
import { CliProblem } from "./problem.ts";

/** A whole number of the command line within its bounds. */
export const countArgument = (
  name: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number => {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= min && count <= max) return count;
  throw new CliProblem(`--${name} is "${text}", but it is a whole number from ${min} to ${max}.`, 2);
};

/** A duration of the command line in milliseconds: `<number>[ms|s|m|h]`, a bare number being seconds. */
export const durationArgument = (
  name: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number => {
  const parsed = parseTimeout(/^\d+$/.test(text) ? `${text}s` : text);
  if (parsed.ok && parsed.value >= min && parsed.value <= max) return parsed.value;
  const range = `from ${min} ms to ${max} ms`;
  throw new CliProblem(`--${name} is "${text}", but it is a duration such as 90s, 5m or 500ms, ${range}.`, 2);
};
