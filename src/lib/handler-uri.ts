import { err, ok, type Result } from "./result.ts";

/** What a handler's address names (spec/triggers 5.3); `target_uri` is how it is shown. */
export type HandlerUri =
  | { readonly kind: "local"; readonly function: string; readonly target_uri: string }
  | { readonly kind: "a2a"; readonly target: string; readonly target_uri: string }
  | { readonly kind: "worker"; readonly queue: string; readonly target_uri: string }
  | { readonly kind: "persona"; readonly name: string; readonly target_uri: string };

/** A scheme of an address, and what comes behind it. */
type Remote = Exclude<HandlerUri["kind"], "local">;

const SCHEME = /^([^]*?):\/\/([^]*)$/;
const REMOTES: ReadonlySet<string> = new Set<Remote>(["a2a", "worker", "persona"]);
const isRemote = (scheme: string): scheme is Remote => REMOTES.has(scheme);

const remoteUri = (kind: Remote, rest: string): HandlerUri => {
  const target_uri = `${kind}://${rest}`;
  if (kind === "a2a") return { kind, target: rest, target_uri };
  return kind === "worker" ? { kind, queue: rest, target_uri } : { kind, name: rest, target_uri };
};

interface Texts {
  readonly blank: string;
  readonly noTarget: (kind: Remote) => string;
  readonly unknownScheme: (scheme: string, raw: string) => string;
}

const parse = (text: string, texts: Texts): Result<HandlerUri, string> => {
  const raw = text.trim();
  if (raw === "") return err(texts.blank);
  const match = SCHEME.exec(raw);
  if (match === null) return ok({ kind: "local", function: raw, target_uri: raw });
  const [, scheme = "", behind = ""] = match;
  if (!isRemote(scheme)) return err(texts.unknownScheme(scheme, raw));
  const rest = behind.trim();
  return rest === "" ? err(texts.noTarget(scheme)) : ok(remoteUri(scheme, rest));
};

const AT_DISPATCH: Texts = {
  blank: "handler URI cannot be empty",
  noTarget: (kind) => `${kind} handler URI target cannot be empty`,
  unknownScheme: (scheme) => `unsupported handler URI scheme '${scheme}'`,
};

/** Reads the address of a handler as a dispatch does (spec/triggers 5.3). */
export const parseHandlerUri = (text: string): Result<HandlerUri, string> => parse(text, AT_DISPATCH);

const WHAT: Readonly<Record<Remote, string>> = { a2a: "target", worker: "queue", persona: "name" };

const IN_DEFINITION: Texts = {
  blank: "handler cannot be empty",
  noTarget: (kind) => `handler ${kind}:// ${WHAT[kind]} cannot be empty`,
  unknownScheme: (_scheme, raw) => `handler URI scheme in '${raw}' is not implemented`,
};

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

const nameProblem = (reference: string): string | null => {
  const at = reference.lastIndexOf("::");
  if (at === -1) {
    return IDENTIFIER.test(reference) ? null : `handler '${reference}' is not a valid bare function identifier`;
  }
  const name = reference.slice(at + 2).trim();
  if (reference.slice(0, at).trim() === "" || name === "") {
    return "handler must use <module>::<function> when module-qualified";
  }
  return IDENTIFIER.test(name) ? null : `handler function name '${name}' is not a valid identifier`;
};

/**
 * Reads the address of a handler as a definition is checked (spec/triggers 5.3): names must be identifiers, and `personas`
 * has every name that a `persona://` may use.
 */
export const parseHandlerReference = (text: string, personas: readonly string[] = []): Result<HandlerUri, string> => {
  const parsed = parse(text, IN_DEFINITION);
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  const problem = value.kind === "local" ? nameProblem(value.function) : null;
  if (problem !== null) return err(problem);
  if (value.kind === "persona" && !personas.includes(value.name)) {
    return err(`handler persona://${value.name} does not match a declared persona`);
  }
  return parsed;
};
