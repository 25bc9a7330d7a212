import * as z from "zod";

/** Most characters of a path. */
export const MAX_PATH_LENGTH = 500;

/**
 * First segments of the deployment's own addresses, and of those that the original keeps for itself (spec/triggers 20.1):
 * no trigger can be there.
 */
export const OWN_SEGMENTS: ReadonlySet<string> = new Set(
  (
    "v1 hooks tenant triggers approve approve.css docs docs.html openapi.json metrics health healthz readyz admin acp mcp " +
    ".well-known favicon.ico robots.txt"
  ).split(" "),
);

const SEGMENTS = /^(?:\/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+$/;

/** Keys of a definition that say where deliveries come in; `match.path` is another name of `path` (spec/triggers 5.5). */
export const pathShape = { path: z.string().max(MAX_PATH_LENGTH).optional() };

interface PathDraft {
  readonly provider: string;
  readonly path?: string | undefined;
  readonly match: { readonly path?: string | undefined };
}

type Complain = (path: string | readonly string[], message: string) => void;

const startsRight = (path: string): boolean => path.startsWith("/");

/** Why nothing can be delivered at a path that starts with `/`, or null where it can (spec/triggers 20.1). */
const shapeProblem = (path: string): string | null => {
  const [, first = "", ...rest] = path.split("/");
  if ([first, ...rest].includes("")) return "must not have empty segments";
  if ([first, ...rest].some((segment) => segment === "." || segment === ".."))
    return "must not have segments `.` and `..`";
  if (!SEGMENTS.test(path))
    return "must be segments of letters, digits and `-._~!$&'()*+,;=:@`, without query or fragment";
  return OWN_SEGMENTS.has(first.toLowerCase())
    ? `\`/${first}\` belongs to the deployment itself: let the path start otherwise`
    : null;
};

/** Whether a trigger can have a path: nothing else has to be looked up. */
export const isTriggerPath = (path: string): boolean =>
  path.length <= MAX_PATH_LENGTH && startsRight(path) && shapeProblem(path) === null;

/** Checks where a trigger wants its deliveries; that a path starts with `/` is said together with the trigger's id. */
export const checkPath = ({ provider, path, match }: PathDraft, complain: Complain): void => {
  if (path !== undefined && match.path !== undefined && path !== match.path)
    complain(["match", "path"], "`match.path` is another name of `path`: give one of them");
  for (const [at, given] of [
    ["path", path],
    [["match", "path"], match.path],
  ] as const) {
    if (given === undefined) continue;
    const isInbound = provider !== "cron" && provider !== "manual";
    const problem = isInbound && startsRight(given) ? shapeProblem(given) : null;
    if (!isInbound) complain(at, `provider '${provider}' takes no deliveries and has no path`);
    if (problem !== null) complain(at, problem);
  }
};

/** Why a trigger of this id cannot have its path, or null when it can (spec/triggers 20.1). */
export const pathProblem = (triggerId: string, { path }: Pick<PathDraft, "path">): string | null =>
  path === undefined || startsRight(path) ? null : `trigger '${triggerId}' path must start with '/'`;

/** Where deliveries of a trigger come in, beside its hook (spec/triggers 20.1). */
export const pathOf = (triggerId: string, { path }: Pick<PathDraft, "path">): string =>
  path ?? `/triggers/${triggerId}`;

/** The refusal of a path that another trigger has (spec/triggers 20.1). */
export const routeTaken = (path: string): string => `trigger route '${path}' is configured more than once`;
