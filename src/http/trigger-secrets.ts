import { base64Text, hexText } from "../connectors/encoding.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { StoredDefinition } from "../schema/trigger-definition.ts";
import type { HeldSecret, ResealedSecret, SealedSecret } from "../schema/trigger-secret.ts";
import type { Bindings, Call } from "./call.ts";
import { problem, type Problem } from "./problem.ts";
import {
  derivedBytes,
  isSealedFirst,
  type MasterKeys,
  openSecret,
  readMasterKeys,
  sealSecret,
  type SecretOwner,
} from "./sealing.ts";

/** A secret that verifies deliveries, as text; it stays within the Worker. */
export interface OpenSecret {
  readonly text: string;
  /** When it ends; null for the current one. */
  readonly expires_at_ms: number | null;
}

type MasterSetting = Pick<Bindings, "GODWIT_MASTER_KEY">;

const CANNOT_OPEN =
  "the secret of the trigger cannot be opened: its key is not in GODWIT_MASTER_KEY; add that key, or put the trigger again with its `secret`";

const NOT_KEPT = "the secret of the trigger is not kept; put the trigger again with its `secret`";

/** The master keys, or the refusal that says what to set. */
export const masterKeysOf = async (env: MasterSetting): Promise<Result<MasterKeys, Problem>> => {
  const keys = await readMasterKeys(env.GODWIT_MASTER_KEY);
  return keys.ok ? keys : err(problem("unavailable", keys.error));
};

/** A secret as the trigger's object takes it (spec/triggers 5.9): nothing but the Worker sees its text. */
export const sealFor = async (
  env: MasterSetting,
  owner: SecretOwner,
  secret: string,
): Promise<Result<SealedSecret, Problem>> => {
  const keys = await masterKeysOf(env);
  return keys.ok ? ok(await sealSecret(keys.value, owner, secret)) : keys;
};

/** The secrets an object holds, opened; or why no delivery can be verified. */
export const openHeld = async (
  env: MasterSetting,
  owner: SecretOwner,
  held: readonly HeldSecret[],
): Promise<Result<readonly OpenSecret[], string>> => {
  if (held.length === 0) return err(NOT_KEPT);
  const keys = await readMasterKeys(env.GODWIT_MASTER_KEY);
  if (!keys.ok) return keys;
  const opened: OpenSecret[] = [];
  for (const { sealed, expires_at_ms } of held) {
    const text = await openSecret(keys.value, owner, sealed);
    if (text !== null) opened.push({ text, expires_at_ms });
  }
  return opened.length === 0 ? err(CANNOT_OPEN) : ok(opened);
};

/** The held secrets that are not under the first master key yet, sealed under it; a refusal if one cannot be opened. */
export const resealedUnder = async (
  keys: MasterKeys,
  owner: SecretOwner,
  held: readonly HeldSecret[],
): Promise<Result<readonly ResealedSecret[], Problem>> => {
  const resealed: ResealedSecret[] = [];
  for (const { id, sealed: before } of held) {
    if (isSealedFirst(keys, before)) continue;
    const text = await openSecret(keys, owner, before);
    if (text === null) return err(problem("unavailable", CANNOT_OPEN));
    const { sealed, digests } = await sealSecret(keys, owner, text);
    resealed.push({ id, sealed, digest: digests[0] });
  }
  return ok(resealed);
};

/** A new secret in the form of its sender; with an idempotency key the same for every repetition of the request. */
export const generatedSecret = async (
  call: Pick<Call, "idempotency_key">,
  keys: MasterKeys,
  of: { readonly owner: SecretOwner; readonly definition: StoredDefinition },
): Promise<string> => {
  const { idempotency_key: key } = call;
  const bytes = key === null ? crypto.getRandomValues(new Uint8Array(32)) : await derivedBytes(keys, of.owner, key);
  return isStandard(of.definition) ? `whsec_${base64Text(bytes)}` : hexText(bytes);
};

const isStandard = ({ provider, signature_scheme: scheme }: StoredDefinition): boolean =>
  provider === "webhook" && (scheme ?? "standard") === "standard";
