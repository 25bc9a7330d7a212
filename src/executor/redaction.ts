import { isObject, type Json } from "../lib/json.ts";

/** Takes the secrets of a deployment out of whatever leaves an executor. */
export interface Redactor {
  readonly text: (text: string) => string;
  readonly json: (value: Json) => Json;
}

// Shorter ones would take ordinary words apart and reveal more by it than they hide.
const MIN_SECRET = 4;

const isSecretName = (name: string): boolean => name.startsWith("GODWIT_SECRET_") || name.endsWith("_KEY");

/** The spellings in which a server may echo a secret: raw, in a URL, in a form, inside JSON, in base64. */
const spellings = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  new URLSearchParams({ "": secret }).toString().slice(1),
  JSON.stringify(secret).slice(1, -1),
  btoa(String.fromCharCode(...new TextEncoder().encode(secret))),
];

/** Replaces every value of `GODWIT_SECRET_*` and `*_KEY` in `env`, in any usual spelling, by `[redacted]`. */
export const createRedactor = (env: object): Redactor => {
  const secrets = Object.entries(env).flatMap(([name, value]) =>
    typeof value === "string" && value.length >= MIN_SECRET && isSecretName(name) ? spellings(value) : [],
  );
  // Longest first: a secret that contains another one must go as a whole.
  const ordered = [...new Set(secrets)].toSorted((a, b) => b.length - a.length);
  const text = (given: string): string => {
    let clean = given;
    for (const secret of ordered) clean = clean.replaceAll(secret, "[redacted]");
    return clean;
  };
  const json = (value: Json): Json => {
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map((item: Json) => json(item));
    if (!isObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [text(key), json(item)]));
  };
  return { text, json: ordered.length === 0 ? (value) => value : json };
};
