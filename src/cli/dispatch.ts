import type { Command, Terminal } from "./command.ts";
import { CliProblem } from "./problem.ts";

const usage = (commands: readonly Command[]): string => {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return ["godwit COMMAND [options]", "", ...lines, "", "godwit COMMAND --help tells more."].join("\n");
};

/** Calls the command that is named first; answers the exit status, 2 with the usage when there is no such command. */
export const dispatch = async (
  commands: readonly Command[],
  args: readonly string[],
  terminal: Terminal,
): Promise<number> => {
  const [name, ...rest] = args;
  if (name === "--help" || name === "-h" || name === "help") {
    terminal.out(usage(commands));
    return 0;
  }
  const command = commands.find((one) => one.name === name);
  if (command === undefined) {
    const problem = name === undefined ? "" : `godwit has no command "${name}".\n\n`;
    terminal.err(`${problem}${usage(commands)}`);
    return 2;
  }
  try {
    return await command.run(rest, terminal);
  } catch (error) {
    if (!(error instanceof CliProblem)) throw error;
    terminal.err(error.status === 2 ? `${error.message}\n\ngodwit ${command.name} --help tells more.` : error.message);
    return error.status;
  }
};
