import type { Environment } from "./environment.ts";

/** Where a command is called. */
export interface Terminal {
  readonly environment: Environment;
  /** The current folder. */
  readonly folder: string;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** A command of `godwit`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly help: string;
  /** Executes it; answers the exit status. Throws a `CliProblem` for what the person at the terminal can put right. */
  readonly run: (args: readonly string[], terminal: Terminal) => Promise<number>;
}
