import { ProblemError } from "../http/client.ts";

/** Something the person at the terminal can put right; shown as its text alone, without a stack. */
export class LocalProblem extends Error {
  override readonly name = "LocalProblem";
}

const textOf = (error: unknown): unknown => {
  if (error instanceof LocalProblem) return `\n${error.message}\n`;
  if (!(error instanceof ProblemError)) return error;
  const { details } = error.problem;
  return `\nThe engine refused: ${error.message}${details === undefined ? "" : `\n${JSON.stringify(details, null, 2)}`}\n`;
};

/** Ends the program with status 1: a problem by its text, anything else with all there is to know. */
export const endWith = (error: unknown): never => {
  console.error(textOf(error));
  process.exit(1);
};
