import { join } from "node:path";
import { createLog } from "./log.ts";
import { endWith } from "./problem.ts";
import { startServer } from "./server.ts";
import { readSettings } from "./settings.ts";

/**
 * Makes what `wrangler dev` does not: the root key in `.dev.vars` and the tables of the local database, in the same
 * state directory.
 */
const prepare = async (): Promise<void> => {
  const { GODWIT_ROOT_KEY: _key, ...environment } = process.env;
  const settings = readSettings(join(import.meta.dirname, "../.."), { ...environment, PORT: "0" });
  const log = createLog({ json: false, level: "warn", out: (line) => console.error(line) });
  const server = await startServer(settings, log);
  await server.stop();
  if (settings.rootKey.origin === "made") {
    console.log(`Made a root key and kept it in .dev.vars, not shown again:\n\n  ${settings.rootKey.value}\n`);
  }
};

await prepare().catch(endWith);
