import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { LocalProblem } from "./problem.ts";

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything the local server has to be told. */
export interface LocalSettings {
  /** The folder of the project. */
  readonly root: string;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly state: string;
  /** Secrets and variables that the Worker sees. */
  readonly vars: Readonly<Record<string, string>>;
  readonly rootKey: RootKey;
}

/** The key that opens the API, and where it is from. */
export interface RootKey {
  readonly value: string;
  readonly origin: "environment" | "file" | "made";
}

const ROOT_KEY = "GODWIT_ROOT_KEY";
const MASTER_KEY = "GODWIT_MASTER_KEY";

/** What the server itself is set by; nothing of it is for the Worker. */
const OWN_VARIABLES: ReadonlySet<string> = new Set(["GODWIT_STATE", "GODWIT_HOST"]);

const PROVIDER_KEYS = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"];

const DEFAULT_PORT = 8787;

/** Where secrets of the local server are kept; wrangler reads the same file. */
export const varsFile = (root: string): string => join(root, ".dev.vars");

const readVars = (root: string): Readonly<Record<string, string | undefined>> =>
  existsSync(varsFile(root)) ? parseEnv(readFileSync(varsFile(root), "utf8")) : {};

const ensureKey = (
  root: string,
  environment: Environment,
  { name, make }: { readonly name: string; readonly make: () => string },
): RootKey => {
  const given = environment[name];
  if (given) return { value: given, origin: "environment" };
  const kept = readVars(root)[name];
  if (kept) return { value: kept, origin: "file" };
  const value = make();
  const file = varsFile(root);
  const before = existsSync(file) ? readFileSync(file, "utf8").replace(/\n*$/, "\n").replace(/^\n$/, "") : "";
  writeFileSync(file, `${before}${name}=${value}\n`, { mode: 0o600 });
  // The mode above counts for a new file only, and an older one may be open to everybody.
  chmodSync(file, 0o600);
  return { value, origin: "made" };
};

/** The root key of the environment, else of `.dev.vars`, else a new one, which is added to that file (mode 600). */
export const ensureRootKey = (root: string, environment: Environment): RootKey =>
  ensureKey(root, environment, { name: ROOT_KEY, make: () => `gwroot_${randomBytes(32).toString("base64url")}` });

/** The key that secrets of triggers are sealed under, kept as the root key is: without it they could not be opened again. */
export const ensureMasterKey = (root: string, environment: Environment): string =>
  ensureKey(root, environment, { name: MASTER_KEY, make: () => randomBytes(32).toString("base64") }).value;

const isForWorker = (name: string): boolean =>
  PROVIDER_KEYS.includes(name) || (name.startsWith("GODWIT_") && !OWN_VARIABLES.has(name));

const defined = (source: Environment, keep: (name: string) => boolean): Record<string, string> =>
  Object.fromEntries(
    Object.entries(source).flatMap(([name, value]) => (value !== undefined && keep(name) ? [[name, value]] : [])),
  );

/** Reads a port, or says what a port is. */
export const readPort = (text: string | undefined): number => {
  if (text === undefined || text === "") return DEFAULT_PORT;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new LocalProblem(`PORT is "${text}", but a port is a whole number from 0 (any free one) to 65535.`);
  }
  return port;
};

/** Reads the environment and `.dev.vars`: the environment wins, and makes both keys where there are none yet. */
export const readSettings = (root: string, environment: Environment): LocalSettings => {
  const rootKey = ensureRootKey(root, environment);
  const masterKey = ensureMasterKey(root, environment);
  return {
    root,
    host: environment["GODWIT_HOST"] || "127.0.0.1",
    port: readPort(environment["PORT"]),
    state: resolve(root, environment["GODWIT_STATE"] || ".wrangler/state"),
    vars: {
      ...defined(readVars(root), (name) => !OWN_VARIABLES.has(name)),
      ...defined(environment, isForWorker),
      [ROOT_KEY]: rootKey.value,
      [MASTER_KEY]: masterKey,
    },
    rootKey,
  };
};
