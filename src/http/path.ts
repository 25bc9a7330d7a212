import { err, ok, type Result } from "../lib/result.ts";
import type { Issue } from "./problem.ts";

/** The names in a path such as `/v1/runs/{run_id}`. */
export type PathNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathNames<Rest>
  : never;

/** A request's path, taken apart by the pattern of a route. */
export type PathParams<Path extends string> = { readonly [Name in PathNames<Path>]: string };

const MAX_ID_CHARACTERS = 200;

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

const decodeSegment = (segment: string): string | null => {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
};

/** Why a text cannot be an id in a path; null when it can. */
export const pathIdProblem = (id: string | null): string | null => {
  if (id === null) return "is not valid percent-encoded UTF-8";
  if (id === "" || id.length > MAX_ID_CHARACTERS) return `must have 1 to ${MAX_ID_CHARACTERS} characters`;
  return CONTROL.test(id) ? "must not contain control characters" : null;
};

/** Decodes the ids of a path. The path is the one that was sent, so that `%2F` within an id does not divide it. */
export const decodePath = <Path extends string>(
  pattern: Path,
  pathname: string,
): Result<PathParams<Path>, readonly Issue[]> => {
  const segments = pathname.split("/");
  const params: Record<string, string> = {};
  const issues: Issue[] = [];
  for (const [index, part] of pattern.split("/").entries()) {
    if (!part.startsWith("{")) continue;
    const name = part.slice(1, -1);
    const id = decodeSegment(segments[index] ?? "");
    const message = pathIdProblem(id);
    if (message === null) params[name] = id ?? "";
    else issues.push({ path: name, message });
  }
  return issues.length === 0 ? ok(params as PathParams<Path>) : err(issues);
};

/** A test whether a path has the shape of a pattern. */
export const pathTest = (pattern: string): RegExp => {
  const source = pattern
    .split("/")
    .map((part) => (part.startsWith("{") ? "[^/]+" : part.replaceAll(/[^A-Za-z0-9_-]/g, String.raw`\$&`)))
    .join("/");
  return new RegExp(`^${source}$`);
};
