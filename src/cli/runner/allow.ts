// What a command may be made of where a pattern has a star: nothing that a shell takes for more than a text, so that a
// star never lets a second command in.
const WITHOUT_SYNTAX = String.raw`[^\p{C}\p{Zl}\p{Zp};&|<>$\x60(){}\[\]*?~#!"'\\^]*`;

const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);

/** Whether a text matches a pattern whose stars stand for any text without shell syntax. */
export const matches = (pattern: string, text: string): boolean => {
  if (pattern === text) return true;
  const source = pattern
    .split("*")
    .map((part) => escaped(part))
    .join(WITHOUT_SYNTAX);
  return new RegExp(`^(?:${source})$`, "u").test(text);
};

/** What a runner executes. */
export interface Allowed {
  /** Anything at all. */
  readonly any: boolean;
  readonly commands: readonly string[];
  /** Names of variables that a job may set. */
  readonly variables: readonly string[];
}

/** Why a job is not executed here; null when it may be. A job that sets variables could set what its command means. */
export const refusalOf = (
  allowed: Allowed,
  job: { readonly command: string; readonly env: Readonly<Record<string, string>> },
): string | null => {
  if (allowed.any) return null;
  const command = job.command.trim();
  if (!allowed.commands.some((pattern) => matches(pattern, command)))
    return `the runner does not allow the command "${command.slice(0, 200)}": none of its --allow patterns matches it`;
  const name = Object.keys(job.env).find((name) => !allowed.variables.some((pattern) => matches(pattern, name)));
  return name === undefined
    ? null
    : `the runner does not allow a job to set the variable "${name.slice(0, 200)}": none of its --allow-env patterns matches it`;
};
