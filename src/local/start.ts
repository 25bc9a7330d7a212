import { join } from "node:path";
import { parseArgs } from "node:util";
import { FEW_OBJECTS, liveObjectLimit } from "./descriptors.ts";
import { createLog, type Log } from "./log.ts";
import { endWith, LocalProblem } from "./problem.ts";
import { dashboardOf, type LocalServer, shown, startServer } from "./server.ts";
import { type LocalSettings, readSettings } from "./settings.ts";
import { stopOnSignal } from "./stopping.ts";

const ROOT = join(import.meta.dirname, "../..");

const HELP = `npm start [-- --json]

Serves Godwit on this machine, with durable state.

  --json   the log as JSON lines on standard output, nothing else
  --help   this text

Environment: PORT (8787, 0 for any free port), GODWIT_STATE (.wrangler/state), GODWIT_HOST (127.0.0.1), GODWIT_ROOT_KEY and GODWIT_MASTER_KEY
(made at the first start and kept in .dev.vars). Other GODWIT_* variables, OPENAI_API_KEY, ANTHROPIC_API_KEY and every
entry of .dev.vars become secrets of the Worker.`;

const EXAMPLE =
  '{"graph":{"entry":"hello","nodes":{"hello":{"kind":"stage","mode":"function","function":"echo","input":"Hello, {{task}}"}},"edges":[]},"task":"world"}';

const keyLines = ({ rootKey }: LocalSettings): readonly string[] => {
  switch (rootKey.origin) {
    case "made":
      return [`root key   ${rootKey.value}`, "           (made now, kept in .dev.vars and not shown again)"];
    case "file":
      return ["root key   GODWIT_ROOT_KEY in .dev.vars"];
    case "environment":
      return ["root key   GODWIT_ROOT_KEY of the environment"];
  }
};

const keyCommand = ({ rootKey }: LocalSettings): readonly string[] =>
  rootKey.origin === "environment" ? [] : ["export GODWIT_ROOT_KEY=$(sed -n 's/^GODWIT_ROOT_KEY=//p' .dev.vars)"];

const objectsText = (): string => {
  const limit = liveObjectLimit();
  if (limit === null || limit === Number.POSITIVE_INFINITY) return "";
  const note = `room for ${limit.toLocaleString("en")} live runs`;
  return limit < FEW_OBJECTS ? `  (${note} only: raise the hard limit of open files)` : `  (${note})`;
};

const banner = (server: LocalServer, settings: LocalSettings): string => {
  const { url, recovered, started_in_ms: ms } = server;
  const dashboard = dashboardOf(settings.root, url);
  return [
    "",
    `Godwit serves ${url}  (started in ${(ms / 1000).toFixed(1)} s)`,
    "",
    ...(dashboard === null ? [] : [`  dashboard  ${dashboard}`]),
    `  docs       ${url}/docs`,
    `  state      ${shown(settings.root, settings.state)}${objectsText()}`,
    ...keyLines(settings).map((line) => `  ${line}`),
    ...(recovered === 0 ? [] : [`  recovered  ${recovered} objects with unfinished work of the last process`]),
    "",
    "Try next:",
    "",
    ...keyCommand(settings).map((line) => `  ${line}`),
    `  curl -s ${url}/v1/runs -H "Authorization: Bearer $GODWIT_ROOT_KEY" -H "Content-Type: application/json" \\`,
    `    -d '${EXAMPLE}'`,
    "",
    "Ctrl-C stops it; nothing is lost by that.",
    "",
  ].join("\n");
};

const tellReady = (server: LocalServer, settings: LocalSettings, log: Log, json: boolean): void => {
  if (!json) return console.log(banner(server, settings));
  // The key itself is only in the text for people, because logs are kept.
  log.write("info", "ready", {
    url: server.url,
    state: settings.state,
    root_key: settings.rootKey.origin,
    live_objects: liveObjectLimit() ?? 0,
    recovered: server.recovered,
    started_in_ms: server.started_in_ms,
  });
};

const readArguments = (): { readonly json: boolean; readonly help: boolean } => {
  try {
    const options = { json: { type: "boolean", default: false }, help: { type: "boolean", default: false } } as const;
    return parseArgs({ options }).values;
  } catch (error) {
    throw new LocalProblem(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  }
};

const start = async (): Promise<void> => {
  const { json, help } = readArguments();
  if (help) return console.log(HELP);
  const settings = readSettings(ROOT, process.env);
  const log = createLog({ json, level: "info", out: (line) => console.log(line) });
  const server = await startServer(settings, log);
  stopOnSignal(server.stop, (signal) => log.write("info", "stopping", { signal }));
  tellReady(server, settings, log, json);
};

await start().catch(endWith);
