import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import type { Environment } from "./environment.ts";
import { CliProblem, reasonOf } from "./problem.ts";

/** Where a key may come from. */
export interface KeySource {
  readonly key: string | undefined;
  readonly key_file: string | undefined;
}

const NAMES = ["GODWIT_KEY", "GODWIT_ROOT_KEY"];

const keyIn = (file: string): string => {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new CliProblem(`The key file cannot be read: ${reasonOf(error)}`);
  }
  const entries = parseEnv(text);
  const named = NAMES.flatMap((name) => entries[name] ?? []);
  const key = named[0] ?? text;
  if (key === "" || /\s/.test(key))
    throw new CliProblem(`${file} holds no key: it has the key alone, or a line GODWIT_KEY=... or GODWIT_ROOT_KEY=...`);
  return key;
};

/** The key of the API: that of the command line, else of the named file, else `GODWIT_KEY` of the environment. */
export const findKey = (source: KeySource, folder: string, environment: Environment): string => {
  if (source.key !== undefined && source.key !== "") return source.key;
  if (source.key_file !== undefined) return keyIn(resolve(folder, source.key_file));
  const key = environment["GODWIT_KEY"];
  if (key !== undefined && key !== "") return key;
  throw new CliProblem("No key: set GODWIT_KEY, or name a file with --key-file.", 2);
};
