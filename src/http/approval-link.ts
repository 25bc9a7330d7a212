import { base64Bytes, base64Text, utf8Bytes, utf8Text } from "../connectors/encoding.ts";
import { isObject } from "../lib/json.ts";
import { parseJson } from "../lib/json-text.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { Bindings } from "./call.ts";

/** Who may answer what under a link, and until when. */
export interface ApprovalGrant {
  readonly tenant: string;
  /** The request of a run, or the event. */
  readonly id: string;
  readonly reviewer: string;
  readonly expires_at_ms: number;
}

type Secrets = Pick<Bindings, "GODWIT_MASTER_KEY" | "GODWIT_ROOT_KEY">;

// An encoder never gives shared memory; only its type does not say so.
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => utf8Bytes(text) as Uint8Array<ArrayBuffer>;

const toUrl = (bytes: Uint8Array): string =>
  base64Text(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

const fromUrl = (text: string): Uint8Array<ArrayBuffer> | null =>
  base64Bytes(text.replaceAll("-", "+").replaceAll("_", "/")) as Uint8Array<ArrayBuffer> | null;

/** The secrets that links are signed under: the first signs, all of them are recognised, so that a key can be replaced. */
const secretsOf = ({ GODWIT_MASTER_KEY: master, GODWIT_ROOT_KEY: root }: Secrets): readonly string[] => {
  const masters = (master ?? "").split(",").map((key) => key.trim());
  const given = masters.some((key) => key !== "") ? masters : [root ?? ""];
  return given.filter((key) => key !== "");
};

const MAC = { name: "HMAC", hash: "SHA-256", length: 256 } as const;

/** The key of links, which opens and signs nothing else. */
const linkKey = async (secret: string): Promise<CryptoKey> => {
  const { subtle } = crypto;
  const base = await subtle.importKey("raw", bytesOf(secret), "HKDF", false, ["deriveKey"]);
  const info = bytesOf("godwit/approval-link/v1");
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
  return subtle.deriveKey(how, base, MAC, false, ["sign", "verify"]);
};

/** A token that lets its holder answer one request as one person (HMAC-SHA-256); null where the server has no key. */
export const signGrant = async (secrets: Secrets, grant: ApprovalGrant): Promise<string | null> => {
  const [secret] = secretsOf(secrets);
  if (secret === undefined) return null;
  const { tenant: t, id: i, reviewer: r, expires_at_ms: e } = grant;
  const payload = toUrl(bytesOf(JSON.stringify({ t, i, r, e })));
  const signature = await crypto.subtle.sign("HMAC", await linkKey(secret), bytesOf(`v1.${payload}`));
  return `v1.${payload}.${toUrl(new Uint8Array(signature))}`;
};

const grantIn = (payload: string): ApprovalGrant | null => {
  const bytes = fromUrl(payload);
  const text = bytes === null ? null : utf8Text(bytes);
  const parsed = parseJson(text ?? "");
  if (!parsed.ok || !isObject(parsed.value)) return null;
  const { t, i, r, e } = parsed.value;
  const isWhole = typeof t === "string" && typeof i === "string" && typeof r === "string" && typeof e === "number";
  return isWhole ? { tenant: t, id: i, reviewer: r, expires_at_ms: e } : null;
};

/** Why a token lets nobody in. */
export type LinkFlaw = "forged" | "expired";

const TOKEN = /^v1\.([\w-]{1,4000})\.([\w-]{43})$/;

/** The grant of a token that this server has signed and whose time is not over. */
export const openGrant = async (
  secrets: Secrets,
  token: string,
  now: number,
): Promise<Result<ApprovalGrant, LinkFlaw>> => {
  const [, payload = "", text = ""] = TOKEN.exec(token) ?? [];
  const signature = fromUrl(text);
  if (payload === "" || signature === null) return err("forged");
  for (const secret of secretsOf(secrets)) {
    const isOurs = await crypto.subtle.verify("HMAC", await linkKey(secret), signature, bytesOf(`v1.${payload}`));
    const grant = isOurs ? grantIn(payload) : null;
    if (grant !== null) return grant.expires_at_ms > now ? ok(grant) : err("expired");
  }
  return err("forged");
};
