import { sha256Hex } from "../../src/lib/stable-uuid.ts";
import type { Store } from "../storage/store.ts";

/** The row that holds the key of the digests; no digest has this form. */
const KEY = "key";

const textAt = (store: Store, digest: string): string | null => {
  const secret = store.query("SELECT secret FROM secret WHERE digest = ?", digest)[0]?.["secret"];
  return typeof secret === "string" ? secret : null;
};

const insert = (store: Store, digest: string, secret: string): void => {
  store.write("INSERT OR IGNORE INTO secret (digest, secret) VALUES (?, ?)", digest, secret);
};

const randomKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Keeps a secret in the place of the one before and answers its digest, which says nothing without the object's own key. */
export const keepSecret = (store: Store, secret: string): string => {
  insert(store, KEY, textAt(store, KEY) ?? randomKey());
  const key = textAt(store, KEY) ?? "";
  // Nested, so that no digest can be extended to that of another text.
  const digest = sha256Hex(`${key}${sha256Hex(`${key}${secret}`)}`);
  insert(store, digest, secret);
  store.write("DELETE FROM secret WHERE digest NOT IN (?, ?)", KEY, digest);
  return digest;
};

/** The secret that is kept, or null when there is none. */
export const currentSecret = (store: Store): string | null => {
  const secret = store.query("SELECT secret FROM secret WHERE digest <> ?", KEY)[0]?.["secret"];
  return typeof secret === "string" ? secret : null;
};

/** Forgets every secret; the key stays, so that the same secret gets the same digest again. */
export const dropSecrets = (store: Store): void => {
  store.write("DELETE FROM secret WHERE digest <> ?", KEY);
};

/** Keeps a secret in the place of the one before, or none. */
export const replaceSecret = (store: Store, secret: string | null): void => {
  if (secret === null) dropSecrets(store);
  else keepSecret(store, secret);
};
