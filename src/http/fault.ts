import { problem, type Problem } from "./problem.ts";

/** The world misbehaved in a way that the code that met it can name; thrown, and answered with 503. */
export class Fault extends Error {
  override readonly name = "Fault";

  constructor(message: string, cause: unknown) {
    super(message, { cause });
  }
}

/** Waits for the database; whatever goes wrong there becomes a fault. */
export const fromDatabase = <T>(answer: Promise<T>): Promise<T> =>
  answer.catch((cause: unknown) => {
    throw new Fault(
      "the database did not answer; try again, and on a new installation apply its migrations first " +
        "(`wrangler d1 migrations apply godwit`)",
      cause,
    );
  });

/** Marks that the platform puts on errors of calls to an object. */
const TRANSIENT = ["retryable", "overloaded", "durableObjectReset"] as const;

const isTransient = (error: unknown): boolean =>
  typeof error === "object" &&
  error !== null &&
  TRANSIENT.some((mark) => (error as Record<string, unknown>)[mark] === true);

/** What a thrown error is answered with: 503 where another try may help, else 500; never the error's own text or stack. */
export const problemOfError = (error: unknown): Problem => {
  if (error instanceof Fault) return problem("unavailable", error.message);
  if (isTransient(error)) return problem("unavailable", "the run's object was restarted or is busy; try again");
  return problem("internal_error", "an unexpected error; the request id leads to it in the server's log");
};
