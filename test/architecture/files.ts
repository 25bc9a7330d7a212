import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

/** Every file of the project: what git tracks, and what it would track. */
export const projectFiles = (): readonly string[] =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" })
    .split("\n")
    .filter((path) => path !== "" && existing(path));

const texts = new Map<string, string | null>();

/** The text of a file; files that are no text have none. */
export const textOf = (path: string): string => load(path) ?? "";

const existing = (path: string): boolean => load(path) !== null;

const load = (path: string): string | null => {
  const known = texts.get(path);
  if (known !== undefined) return known;
  let text: string | null = null;
  try {
    text = readFileSync(join(ROOT, path), "utf8");
  } catch {
    // Another change may have taken it away since git listed it.
  }
  texts.set(path, text);
  return text;
};

export const linesOf = (path: string): number => textOf(path).trimEnd().split("\n").length;

/** Source of Worker, objects and tools: TypeScript outside tests. */
export const sourceFiles = (): readonly string[] =>
  projectFiles().filter((path) => /^(?:src|durable-objects|dashboard)\/.*\.tsx?$/.test(path));

/** A text without its comments, so that words in them are not taken for code. */
export const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|[^:"'`])\/\/[^\n]*/g, "$1");

export interface Import {
  readonly from: string;
  readonly to: string;
  readonly types_only: boolean;
}

const STATEMENT = /(?:^|\n)\s*(import|export)\s+(type\s+)?([^"';]*?)\s*from\s*["']([^"']+)["']/g;
const BARE = /(?:^|\n)\s*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g;

/** True when every name in a list of names is a type. */
const namesOnlyTypes = (names: string): boolean => {
  const list = /^\{([\s\S]*)\}$/.exec(names.trim())?.[1];
  if (list === undefined) return false;
  const items = list
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  return items.length > 0 && items.every((item) => item.startsWith("type "));
};

/** What a file imports; a relative path is turned into one from the project's root. */
export const importsOf = (path: string): readonly Import[] => {
  const text = withoutComments(textOf(path));
  const found = [...text.matchAll(STATEMENT)].map(([, , type, names = "", to = ""]) => ({
    to,
    types_only: type !== undefined || namesOnlyTypes(names),
  }));
  for (const [, statement, dynamic] of text.matchAll(BARE))
    found.push({ to: statement ?? dynamic ?? "", types_only: false });
  return found.map(({ to, types_only }) => ({
    from: path,
    to: to.startsWith(".") ? join(path, "..", to) : to,
    types_only,
  }));
};
