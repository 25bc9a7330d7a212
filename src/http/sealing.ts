import { base64Bytes, hexText, utf8Bytes } from "../connectors/encoding.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { SealedSecret } from "../schema/trigger-secret.ts";

/** Whose secret it is: sealed for one trigger, it opens for no other. */
export interface SecretOwner {
  readonly tenant: string;
  readonly trigger_id: string;
}

/** What follows from one master key: each use has a key of its own. */
interface MasterKey {
  /** The first eight hexadecimal digits of the key's SHA-256. */
  readonly id: string;
  readonly cipher: CryptoKey;
  readonly mac: CryptoKey;
}

/** The master keys of a deployment: the first seals, all of them open. */
export type MasterKeys = readonly [MasterKey, ...MasterKey[]];

const KEY_BYTES = 32;
const IV_BYTES = 12;

/** Why nothing can be sealed where no master key is set. */
export const NO_MASTER_KEY =
  "the server has no key to keep secrets under: set GODWIT_MASTER_KEY to the base64 of 32 random bytes, or use `secret_ref`";

// An encoder never gives shared memory; only its type does not say so.
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => utf8Bytes(text) as Uint8Array<ArrayBuffer>;

const base64Url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

const fromBase64Url = (text: string): Uint8Array<ArrayBuffer> | null =>
  base64Bytes(text.replaceAll("-", "+").replaceAll("_", "/")) as Uint8Array<ArrayBuffer> | null;

/** How the key of one use is derived from a master key. */
const derived = (info: string) => ({
  name: "HKDF",
  hash: "SHA-256",
  salt: new Uint8Array(0),
  info: bytesOf(`godwit/trigger-secret/${info}`),
});

const masterKey = async (bytes: Uint8Array<ArrayBuffer>): Promise<MasterKey> => {
  const { subtle } = crypto;
  const base = await subtle.importKey("raw", bytes, "HKDF", false, ["deriveKey"]);
  const mac = { name: "HMAC", hash: "SHA-256", length: 256 } as const;
  return {
    id: hexText(new Uint8Array(await subtle.digest("SHA-256", bytes))).slice(0, 8),
    cipher: await subtle.deriveKey(derived("seal"), base, { name: "AES-GCM", length: 256 }, false, [
      "encrypt",
      "decrypt",
    ]),
    mac: await subtle.deriveKey(derived("digest"), base, mac, false, ["sign"]),
  };
};

/** Reads `GODWIT_MASTER_KEY`: base64 of 32 bytes, or a list of those; else says what to set. */
export const readMasterKeys = async (setting: string | undefined): Promise<Result<MasterKeys, string>> => {
  if (setting === undefined || setting.trim() === "") return err(NO_MASTER_KEY);
  const keys: MasterKey[] = [];
  for (const [index, text] of setting.split(",").entries()) {
    const bytes = base64Bytes(text.trim());
    if (bytes === null || bytes.length !== KEY_BYTES) {
      return err(`key ${index + 1} of GODWIT_MASTER_KEY is not the base64 of ${KEY_BYTES} bytes; set it anew`);
    }
    keys.push(await masterKey(bytes as Uint8Array<ArrayBuffer>));
  }
  const [first, ...rest] = keys;
  return first === undefined ? err(NO_MASTER_KEY) : ok([first, ...rest]);
};

const boundTo = ({ tenant, trigger_id: triggerId }: SecretOwner): Uint8Array<ArrayBuffer> =>
  bytesOf(`godwit/trigger-secret/v1\n${tenant}\n${triggerId}`);

const digestUnder = async ({ mac }: MasterKey, owner: SecretOwner, secret: string): Promise<string> =>
  hexText(
    new Uint8Array(
      await crypto.subtle.sign("HMAC", mac, bytesOf(`digest\n${owner.tenant}\n${owner.trigger_id}\n${secret}`)),
    ),
  );

/** Seals a secret for its trigger as `v1.<key id>.<iv>.<ciphertext>` (AES-GCM). */
export const sealSecret = async (keys: MasterKeys, owner: SecretOwner, secret: string): Promise<SealedSecret> => {
  const [first, ...rest] = keys;
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const how = { name: "AES-GCM", iv, additionalData: boundTo(owner) };
  const sealed = new Uint8Array(await crypto.subtle.encrypt(how, first.cipher, bytesOf(secret)));
  return {
    sealed: `v1.${first.id}.${base64Url(iv)}.${base64Url(sealed)}`,
    digests: [
      await digestUnder(first, owner, secret),
      ...(await Promise.all(rest.map((key) => digestUnder(key, owner, secret)))),
    ],
  };
};

/** The secret of a sealed text; null when none of the keys has sealed it for this trigger, or it was changed. */
export const openSecret = async (keys: MasterKeys, owner: SecretOwner, sealed: string): Promise<string | null> => {
  const [, id, iv, text] = /^v1\.([0-9a-f]{8})\.([\w-]{16})\.([\w-]+)$/.exec(sealed) ?? [];
  const key = keys.find((one) => one.id === id);
  const vector = fromBase64Url(iv ?? "");
  const bytes = fromBase64Url(text ?? "");
  if (key === undefined || vector === null || bytes === null) return null;
  const how = { name: "AES-GCM", iv: vector, additionalData: boundTo(owner) };
  return crypto.subtle.decrypt(how, key.cipher, bytes).then(
    (secret) => new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(secret),
    () => null,
  );
};

/** Whether a sealed text is under the key that seals now. */
export const isSealedFirst = ([first]: MasterKeys, sealed: string): boolean => sealed.startsWith(`v1.${first.id}.`);

/** A secret that a repeated request finds again: only a holder of the master key can tell it (HMAC-SHA-256). */
export const derivedBytes = async ([first]: MasterKeys, owner: SecretOwner, key: string): Promise<Uint8Array> => {
  const text = `generate\n${owner.tenant}\n${owner.trigger_id}\n${key}`;
  return new Uint8Array(await crypto.subtle.sign("HMAC", first.mac, bytesOf(text)));
};
