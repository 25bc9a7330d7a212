import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { WORKTREES } from "../../lib/worktree.ts";
import { countArgument, durationArgument } from "../arguments.ts";
import type { Environment } from "../environment.ts";
import { findKey } from "../key.ts";
import { CliProblem, reasonOf } from "../problem.ts";
import type { Allowed } from "./allow.ts";
import { isFolder, type Places } from "./places.ts";

/** Everything that a runner is told on its command line. */
export interface RunnerSettings {
  readonly queue: string;
  readonly url: string;
  readonly key: string;
  readonly tenant: string | null;
  readonly allowed: Allowed;
  readonly places: Places;
  readonly pass_env: readonly string[];
  readonly concurrency: number;
  readonly max_output_bytes: number;
  readonly ttl_ms: number;
  readonly grace_ms: number;
  readonly once: boolean;
  /** null for one that is made up. */
  readonly name: string | null;
  readonly json: boolean;
}

const DEFAULT_URL = "http://127.0.0.1:8787";

const OPTIONS = {
  queue: { type: "string" },
  allow: { type: "string", multiple: true },
  "allow-env": { type: "string", multiple: true },
  "allow-any": { type: "boolean", default: false },
  url: { type: "string" },
  key: { type: "string" },
  "key-file": { type: "string" },
  tenant: { type: "string" },
  workdir: { type: "string", default: "." },
  worktrees: { type: "string" },
  "pass-env": { type: "string", multiple: true },
  concurrency: { type: "string", default: "1" },
  "max-output": { type: "string", default: "65536" },
  ttl: { type: "string", default: "60s" },
  grace: { type: "string", default: "60s" },
  once: { type: "boolean", default: false },
  name: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const parsed = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    throw new CliProblem(reasonOf(error), 2);
  }
};

type Values = ReturnType<typeof parsed>;

const allowedBy = (values: Values): Allowed => {
  const any = values["allow-any"];
  const commands = (values.allow ?? []).map((pattern) => pattern.trim()).filter((pattern) => pattern !== "");
  if (any === commands.length > 0)
    throw new CliProblem(
      any
        ? "--allow-any allows every command: leave --allow out, or --allow-any."
        : "Say what may be executed: --allow PATTERN, as often as need be, or --allow-any.",
      2,
    );
  return { any, commands, variables: values["allow-env"] ?? [] };
};

const placesOf = (values: Values, folder: string, environment: Environment): Places => {
  const workdir = resolve(folder, values.workdir);
  if (!isFolder(workdir)) throw new CliProblem(`--workdir is "${values.workdir}", but there is no such folder.`, 2);
  const given = values.worktrees ?? (environment["GODWIT_WORKTREE_DIR"] || undefined);
  return { workdir, worktrees: given === undefined ? `${workdir}/${WORKTREES}` : resolve(folder, given) };
};

const urlOf = (values: Values, environment: Environment): string => {
  const url = values.url ?? (environment["GODWIT_URL"] || DEFAULT_URL);
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new CliProblem(`--url is "${url}", but it is an address such as ${DEFAULT_URL}.`, 2);
};

/** Reads a runner's command line; null when help is asked for. Throws a `CliProblem` that says what is wrong with it. */
export const readOptions = (
  args: readonly string[],
  folder: string,
  environment: Environment,
): RunnerSettings | null => {
  const values = parsed(args);
  if (values.help) return null;
  const queue = values.queue?.trim() ?? "";
  if (queue === "") throw new CliProblem("Name the work queue: --queue NAME.", 2);
  return {
    queue,
    url: urlOf(values, environment),
    allowed: allowedBy(values),
    places: placesOf(values, folder, environment),
    key: findKey({ key: values.key, key_file: values["key-file"] }, folder, environment),
    tenant: values.tenant ?? null,
    pass_env: values["pass-env"] ?? [],
    concurrency: countArgument("concurrency", values.concurrency, { min: 1, max: 64 }),
    max_output_bytes: countArgument("max-output", values["max-output"], { min: 256, max: 1_048_576 }),
    ttl_ms: durationArgument("ttl", values.ttl, { min: 1_000, max: 86_400_000 }),
    grace_ms: durationArgument("grace", values.grace, { min: 0, max: 86_400_000 }),
    once: values.once,
    name: values.name ?? null,
    json: values.json,
  };
};
