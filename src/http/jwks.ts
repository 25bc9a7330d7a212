import type { KeySource } from "../connectors/connector.ts";
import { egressRefusal } from "../executor/private-hosts.ts";
import { isObject, type Json } from "../lib/json.ts";
import { readBytes } from "./body.ts";

const KEPT_MS = 86_400_000;
/** Tokens with ids that nobody knows must not make us call the issuer for each of them. */
const REFRESH_AFTER_MS = 30_000;
const RETRY_AFTER_MS = 5_000;
const TIMEOUT_MS = 5_000;
const MAX_BYTES = 262_144;
const MAX_KEPT = 100;

interface Kept {
  readonly keys: readonly Json[] | null;
  readonly at: number;
}

// Of this isolate: keys are public, and each isolate may ask for them itself.
const kept = new Map<string, Kept>();

const keysIn = (bytes: Uint8Array): readonly Json[] | null => {
  try {
    const document = JSON.parse(new TextDecoder().decode(bytes)) as Json;
    const keys = isObject(document) ? document["keys"] : undefined;
    return Array.isArray(keys) ? (keys as readonly Json[]) : null;
  } catch {
    return null;
  }
};

const read = async (url: string): Promise<readonly Json[] | null> => {
  try {
    // A redirect could lead anywhere, so it is no answer.
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { redirect: "manual", signal, headers: { Accept: "application/json" } });
    const bytes = response.status === 200 ? await readBytes(response, MAX_BYTES) : null;
    return bytes === null || !bytes.ok ? null : keysIn(bytes.value);
  } catch {
    return null;
  }
};

const isDue = ({ keys, at }: Kept, refresh: boolean, now: number): boolean =>
  now - at > (keys === null ? RETRY_AFTER_MS : refresh ? REFRESH_AFTER_MS : KEPT_MS);

/** Keys of issuers, kept for a day and read again when one is missing, at most twice a minute (spec/triggers 25 #23). */
export const jwksSource =
  (privateHosts: string | undefined): KeySource =>
  async (url, { refresh }) => {
    if (!URL.canParse(url) || egressRefusal(new URL(url), privateHosts) !== undefined) return null;
    const now = Date.now();
    const known = kept.get(url);
    if (known !== undefined && !isDue(known, refresh, now)) return known.keys;
    const keys = await read(url);
    if (kept.size >= MAX_KEPT) kept.clear();
    // Keys that were good until now are better than none.
    const found = keys ?? known?.keys ?? null;
    kept.set(url, { keys: found, at: now });
    return found;
  };
