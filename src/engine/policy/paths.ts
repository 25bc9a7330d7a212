import { isObject, type Json } from "../../lib/json.ts";
import type { ToolAnnotations } from "../../schema/policy.ts";

const valuesAt = (args: Json, key: string): readonly string[] => {
  const value = isObject(args) && Object.hasOwn(args, key) ? args[key] : undefined;
  return (Array.isArray(value) ? (value as readonly Json[]) : [value]).filter((text) => typeof text === "string");
};

/** The texts an argument holds under its name and its aliases: an alias would otherwise be a way around a rule. */
export const argumentTexts = (args: Json, key: string, annotations: ToolAnnotations | null): readonly string[] => {
  const aliases = annotations?.arg_schema.arg_aliases ?? {};
  const names = [key, ...Object.keys(aliases).filter((alias) => aliases[alias] === key && alias !== key)];
  return names.flatMap((name) => valuesAt(args, name));
};

/** The paths a call declares: its path arguments, each a text or a list of texts (spec/workflow 10.4). */
export const declaredPaths = (args: Json, annotations: ToolAnnotations | null): readonly string[] =>
  (annotations?.arg_schema.path_params ?? []).flatMap((key) => argumentTexts(args, key, annotations));

const segmentsOf = (path: string): readonly string[] => path.replaceAll("\\", "/").split("/");

/** True for a path that climbs: its text does not say where it leads. */
export const climbs = (path: string): boolean => segmentsOf(path).includes("..");

/** The path without empty, `.` and `..` segments; one that climbs above its start keeps its leading `..`. */
export const normalizePath = (path: string): string => {
  const absolute = path.startsWith("/");
  const kept: string[] = [];
  for (const segment of segmentsOf(path)) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") kept.push(segment);
    else if (kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (!absolute) kept.push(segment);
  }
  return `${absolute ? "/" : ""}${kept.join("/")}`;
};

/** The spellings of a path that a rule may match: normal, raw, absolute, relative to a root (spec/workflow 10.4). */
export const pathCandidates = (path: string, roots: readonly string[]): readonly string[] => {
  const normal = normalizePath(path);
  const candidates = [normal];
  // The raw text of `src/../secret` starts with `src/` but does not name anything there.
  if (!climbs(path)) candidates.push(path);
  for (const root of roots.filter((text) => text.startsWith("/"))) {
    const base = normalizePath(`${root}/`).replace(/\/*$/, "/");
    if (!normal.startsWith("/")) candidates.push(normalizePath(base + normal));
    else if (normal.startsWith(base)) candidates.push(normal.slice(base.length));
  }
  return candidates;
};
