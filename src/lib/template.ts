import { isObject, type Json, valueAt } from "./json.ts";
import { err, ok, type Result } from "./result.ts";

const PLACEHOLDER = /\{\{\s*([^{}\s]+)\s*\}\}/g;
const WHOLE = /^\{\{\s*([^{}\s]+)\s*\}\}$/;

/** Paths that are left in place for a later reader, such as secrets, which only the executor may see. */
const isReserved = (path: string): boolean => path.startsWith("secret.");

const asText = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value));

const fillText = (text: string, scope: (path: string) => Json | undefined): Result<Json, string> => {
  const whole = WHOLE.exec(text)?.[1];
  if (whole !== undefined && !isReserved(whole)) {
    const value = scope(whole);
    return value === undefined ? err(whole) : ok(value);
  }
  let missing: string | undefined;
  const filled = text.replace(PLACEHOLDER, (placeholder, path: string) => {
    if (isReserved(path)) return placeholder;
    const value = scope(path);
    if (value === undefined) missing ??= path;
    return value === undefined ? "" : asText(value);
  });
  return missing === undefined ? ok(filled) : err(missing);
};

/**
 * Fills `{{path}}` placeholders in every text of a value.
 *
 * A text that is one placeholder and nothing else becomes the value itself, of whatever type; within other text a
 * value that is no text is written as JSON. `{{secret.NAME}}` stays as it is. Fails with the first path without value.
 */
export const fillTemplate = (template: Json, scope: (path: string) => Json | undefined): Result<Json, string> => {
  if (typeof template === "string") return fillText(template, scope);
  if (Array.isArray(template)) {
    const items: Json[] = [];
    for (const item of template as readonly Json[]) {
      const filled = fillTemplate(item, scope);
      if (!filled.ok) return filled;
      items.push(filled.value);
    }
    return ok(items);
  }
  if (isObject(template)) {
    const entries: [string, Json][] = [];
    for (const [key, value] of Object.entries(template)) {
      const filled = fillTemplate(value, scope);
      if (!filled.ok) return filled;
      entries.push([key, filled.value]);
    }
    return ok(Object.fromEntries(entries));
  }
  return ok(template);
};

/** A scope that finds a path in one JSON value. */
export const scopeOf =
  (value: Json) =>
  (path: string): Json | undefined =>
    valueAt(value, path);
