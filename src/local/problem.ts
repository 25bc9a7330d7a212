/** Something the person at the terminal can put right; shown as its text alone, without a stack. */
export class LocalProblem extends Error {
  override readonly name = "LocalProblem";
}

/** Ends the program with status 1: a problem by its text, anything else with all there is to know. */
export const endWith = (error: unknown): never => {
  console.error(error instanceof LocalProblem ? `\n${error.message}\n` : error);
  process.exit(1);
};
