import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { LocalProblem } from "./problem.ts";

const SQLITE_BUSY = 5;

/** The right to use a state directory, until it is given back or the process ends. */
export interface StateLock {
  readonly release: () => void;
}

/**
 * Takes a state directory for this process. Two engines on one state would each believe that the other's drivers are
 * dead. The lock is a lock of the operating system on a file, so it ends with the process, however that ends.
 */
export const lockState = (state: string): StateLock => {
  mkdirSync(state, { recursive: true });
  const database = new DatabaseSync(join(state, "godwit.lock"), { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if ((error as { readonly errcode?: number }).errcode !== SQLITE_BUSY) throw error;
    throw new LocalProblem(
      `The state in ${state} is in use by another Godwit server. Stop that server, or take another directory:\n\n` +
        `  GODWIT_STATE=<directory> npm start`,
    );
  }
  return { release: () => database.close() };
};
