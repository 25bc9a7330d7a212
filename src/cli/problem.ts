/** What the person at the terminal can put right; shown as its text alone, without a stack. */
export class CliProblem extends Error {
  override readonly name = "CliProblem";
  /** 2 for a command line that says nothing, as shells have it; 1 for what went wrong. */
  readonly status: 1 | 2;

  constructor(message: string, status: 1 | 2 = 1) {
    super(message);
    this.status = status;
  }
}

/** The text of whatever was thrown. */
export const reasonOf = (thrown: unknown): string => {
  if (!(thrown instanceof Error)) return String(thrown);
  // `fetch` says only that it failed; why is in its cause.
  const { cause } = thrown;
  return cause instanceof Error && cause.message !== "" ? `${thrown.message}: ${cause.message}` : thrown.message;
};
