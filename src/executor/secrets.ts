import { isObject, type Json } from "../lib/json.ts";
import { fillSecrets } from "../lib/template.ts";
import type { ModelEnv } from "../ports/model-env.ts";

/** Fills in `{{secret.NAME}}` from `GODWIT_SECRET_<NAME>`, and remembers what it met. */
export interface SecretFiller {
  /** The text with its secrets, and whether it has any. */
  readonly text: (template: string) => { readonly text: string; readonly secret: boolean };
  /** The same for every text inside a JSON value; keys stay as they are. */
  readonly json: (template: Json) => { readonly json: Json; readonly secret: boolean };
  /** The names that are not configured. */
  readonly missing: () => readonly string[];
}

/** A filler over the deployment's secrets. */
export const createSecretFiller = (env: ModelEnv): SecretFiller => {
  const unknown = new Set<string>();
  const fill: SecretFiller["text"] = (template) => {
    let secret = false;
    const text = fillSecrets(template, (name) => {
      const value = env[`GODWIT_SECRET_${name}`];
      if (value === undefined) unknown.add(name);
      secret = true;
      return value ?? "";
    });
    return { text, secret };
  };
  const fillJson: SecretFiller["json"] = (template) => {
    if (typeof template === "string") {
      const { text, secret } = fill(template);
      return { json: text, secret };
    }
    if (Array.isArray(template)) {
      const items = template.map((item: Json) => fillJson(item));
      return { json: items.map((item) => item.json), secret: items.some((item) => item.secret) };
    }
    if (!isObject(template)) return { json: template, secret: false };
    const fields = Object.entries(template).map(([key, value]) => ({ key, ...fillJson(value) }));
    return {
      json: Object.fromEntries(fields.map(({ key, json }) => [key, json])),
      secret: fields.some((field) => field.secret),
    };
  };
  return { text: fill, json: fillJson, missing: () => [...unknown] };
};
