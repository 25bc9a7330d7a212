import { escapeMarkers } from "./body-marker.ts";
import { isObject, type Json, valueAt } from "./json.ts";
import { err, ok, type Result } from "./result.ts";
import { mapTexts } from "./texts.ts";

const PLACEHOLDER = /\{\{\s*([^{}\s]+)\s*\}\}/g;
const WHOLE = /^\{\{\s*([^{}\s]+)\s*\}\}$/;

/** What looks like a reserved placeholder; `literal.` before it says that it is only text. */
const RESERVED = /\{\{(\s*)(?=(?:literal\.)*secret\.)/g;

/** Paths that are left in place for a later reader, such as secrets, which only the executor may see. */
const isReserved = (path: string): boolean => /^(?:literal\.)*secret\./.test(path);

/** What becomes of `{{secret.NAME}}` in a value that is filled in. */
export type SecretsInValues =
  /** The result is not read for secrets any more: values stay as they are. */
  | "kept"
  /** A later reader fills in secrets: in values they become `{{literal.secret.NAME}}`, which it reads as text. */
  | "quoted";

interface Filling {
  readonly scope: (path: string) => Json | undefined;
  readonly secrets: SecretsInValues;
}

const quoteText = (text: string): string => text.replaceAll(RESERVED, "{{$1literal.");

const quoteJson = (value: Json): Json => {
  if (typeof value === "string") return quoteText(value);
  if (Array.isArray(value)) return (value as readonly Json[]).map(quoteJson);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, quoteJson(item)]));
};

const asText = (value: Json): string =>
  typeof value === "string" ? value : JSON.stringify(mapTexts(value, escapeMarkers));

const fillText = (text: string, { scope, secrets }: Filling): Result<Json, string> => {
  const isQuoted = secrets === "quoted";
  const whole = WHOLE.exec(text)?.[1];
  if (whole !== undefined && !isReserved(whole)) {
    const value = scope(whole);
    if (value === undefined) return err(whole);
    return ok(isQuoted ? quoteJson(value) : value);
  }
  let filled = "";
  // What lies between two of the template's own secrets is quoted as one text: a placeholder could otherwise be put
  // together from the end of one value and the beginning of the next.
  let run = "";
  let end = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    const [placeholder, path = ""] = match;
    run += text.slice(end, match.index);
    end = match.index + placeholder.length;
    if (isReserved(path)) {
      filled += (isQuoted ? quoteText(run) : run) + placeholder;
      run = "";
      continue;
    }
    const value = scope(path);
    if (value === undefined) return err(path);
    run += asText(value);
  }
  run += text.slice(end);
  return ok(filled + (isQuoted ? quoteText(run) : run));
};

/**
 * Fills `{{path}}` placeholders in every text of a value, once: what is filled in is never read as a template.
 *
 * A text that is one placeholder and nothing else becomes the value itself, of whatever type; within other text a
 * value that is no text is written as JSON. The template's own `{{secret.NAME}}` stays as it is; `secrets` says what
 * becomes of one that a value brings along. Fails with the first path without value.
 */
export const fillTemplate = (
  template: Json,
  scope: (path: string) => Json | undefined,
  secrets: SecretsInValues,
): Result<Json, string> => fill(template, { scope, secrets });

const fill = (template: Json, filling: Filling): Result<Json, string> => {
  if (typeof template === "string") return fillText(template, filling);
  if (Array.isArray(template)) {
    const items: Json[] = [];
    for (const item of template as readonly Json[]) {
      const filled = fill(item, filling);
      if (!filled.ok) return filled;
      items.push(filled.value);
    }
    return ok(items);
  }
  if (isObject(template)) {
    const entries: [string, Json][] = [];
    for (const [key, value] of Object.entries(template)) {
      const filled = fill(value, filling);
      if (!filled.ok) return filled;
      entries.push([key, filled.value]);
    }
    return ok(Object.fromEntries(entries));
  }
  return ok(template);
};

const SECRET = /\{\{(\s*)(?:literal\.((?:literal\.)*secret\.)|secret\.([A-Za-z0-9_]+)\s*\}\})/g;

/**
 * Fills the secrets into a text that `fillTemplate` has filled with `secrets: "quoted"`. One `literal.` is taken away
 * where there is any: what came in with a value is text again, letter by letter as it was.
 */
export const fillSecrets = (text: string, secret: (name: string) => string): string =>
  text.replaceAll(SECRET, (_whole, space: string, quoted: string | undefined, name: string | undefined) =>
    quoted === undefined ? secret(name ?? "") : `{{${space}${quoted}`,
  );

const QUOTED = /\{\{(\s*)literal\.(?=(?:literal\.)*secret\.)/g;
const OWN_SECRET = /(\{\{\s*secret\.[A-Za-z0-9_]+\s*\}\})/;

/**
 * Changes the values in a text that `fillTemplate` has filled with `secrets: "quoted"`, and quotes them anew: what a
 * change brings along is never read as a secret either. The template's own secrets stay as they are.
 */
export const changeQuoted = (text: string, change: (values: string) => string): string =>
  text
    .split(OWN_SECRET)
    .map((part, index) => (index % 2 === 1 ? part : quoteText(change(part.replaceAll(QUOTED, "{{$1")))))
    .join("");

/** A scope that finds a path in one JSON value. */
export const scopeOf =
  (value: Json) =>
  (path: string): Json | undefined =>
    valueAt(value, path);
