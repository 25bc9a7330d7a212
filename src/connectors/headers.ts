const SAFE: ReadonlySet<string> = new Set([
  "user-agent",
  "request-id",
  "x-request-id",
  "x-correlation-id",
  "content-type",
  "content-length",
  "x-github-event",
  "x-github-delivery",
  "x-github-hook-id",
  "x-hub-signature-256",
  "x-slack-request-timestamp",
  "x-slack-signature",
  "x-linear-signature",
  "x-notion-signature",
  "x-a2a-signature",
  "x-a2a-delivery",
]);

const SAFE_ENDINGS = ["-event", "-delivery"] as const;
const SAFE_PARTS = ["timestamp", "request-id"] as const;
const SECRET_PARTS = ["authorization", "cookie", "secret", "token", "key"] as const;

const isSafe = (name: string, alsoSafe: ReadonlySet<string>): boolean =>
  SAFE.has(name) ||
  alsoSafe.has(name) ||
  SAFE_ENDINGS.some((ending) => name.endsWith(ending)) ||
  SAFE_PARTS.some((part) => name.includes(part)) ||
  !SECRET_PARTS.some((part) => name.includes(part));

/**
 * Headers as they may be stored: values of credential-like names become `[redacted]`, names are kept as given
 * (spec/triggers 4.4). `alsoSafe` holds further names to keep, in lower case; a value that is one of the `secrets` goes
 * whatever its name is.
 */
export const redactHeaders = (
  headers: Readonly<Record<string, string>>,
  alsoSafe: ReadonlySet<string> = new Set(),
  secrets: readonly string[] = [],
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const isKept = isSafe(name.toLowerCase(), alsoSafe) && !secrets.includes(value);
      return [name, isKept ? value : "[redacted]"];
    }),
  );

/** Headers with lower-case names, the only form connectors see; takes `Headers` or any list of pairs (spec/triggers 25). */
export const lowerCaseHeaders = (entries: Iterable<readonly [string, string]>): Readonly<Record<string, string>> =>
  Object.fromEntries(Array.from(entries, ([name, value]) => [name.toLowerCase(), value]));
