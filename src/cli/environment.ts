/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a command has of the runner's own environment unless the runner passes more on. */
const INHERITED: ReadonlySet<string> = new Set([
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LANGUAGE",
  "TZ",
  "TMPDIR",
]);

const isInherited = (name: string, passed: ReadonlySet<string>): boolean =>
  INHERITED.has(name) || name.startsWith("LC_") || passed.has(name);

/** The little of an environment that a command gets; never a variable with the runner's key in it. */
export const inheritedEnvironment = (
  own: Environment,
  passed: readonly string[],
  key: string,
): Readonly<Record<string, string>> => {
  const names = new Set(passed);
  return Object.fromEntries(
    Object.entries(own).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && isInherited(entry[0], names) && (key === "" || !entry[1].includes(key)),
    ),
  );
};
