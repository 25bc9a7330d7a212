import { err, ok, type Result } from "../../lib/result.ts";
import { createSecretFiller } from "../secrets.ts";
import type { HandlerPorts } from "./ports.ts";

/** What is signed: the id of the message and its exact text. */
interface Message {
  readonly id: string;
  readonly body: string;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3}={0,2}|[A-Za-z0-9+/]{4})$/;

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

const signature = async (secret: string, text: string): Promise<string> => {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytesOf(secret), algorithm, false, ["sign"]);
  const signed = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(signed)));
};

/**
 * The headers of Standard Webhooks for an outgoing message, so that its receiver can verify it. `template` is
 * `{{secret.NAME}}`; the secret is base64, with or without `whsec_`. Each attempt is signed at its own time.
 */
export const signatureHeaders = async (
  template: string,
  message: Message,
  { env, now }: HandlerPorts,
): Promise<Result<readonly (readonly [string, string])[], string>> => {
  const filler = createSecretFiller(env);
  const { text } = filler.text(template);
  const missing = filler.missing()[0];
  if (missing !== undefined) {
    return err(`the secret "${missing}" is not configured: set GODWIT_SECRET_${missing}`);
  }
  return standardHeaders(text, message, now());
};

/** The same for a secret itself, at a moment in milliseconds. */
export const standardHeaders = async (
  given: string,
  message: Message,
  nowMs: number,
): Promise<Result<readonly (readonly [string, string])[], string>> => {
  const secret = given.replace(/^whsec_/, "");
  if (!BASE64.test(secret)) return err("the signing secret is not base64, with or without `whsec_`");
  const timestamp = String(Math.floor(nowMs / 1000));
  const signed = await signature(secret, `${message.id}.${timestamp}.${message.body}`);
  return ok([
    ["webhook-id", message.id],
    ["webhook-timestamp", timestamp],
    ["webhook-signature", `v1,${signed}`],
  ]);
};
