import { dispatch } from "./dispatch.ts";
import { runnerCommand } from "./runner/command.ts";

process.exit(
  await dispatch([runnerCommand], process.argv.slice(2), {
    environment: process.env,
    folder: process.cwd(),
    out: (line) => console.log(line),
    err: (line) => console.error(line),
  }),
);
