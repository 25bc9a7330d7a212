import { err, ok, type Result } from "../lib/result.ts";
import type { ModelEnv } from "../ports/model-env.ts";
import { standardHeaders } from "./handlers/signing.ts";
import { egressRefusal } from "./private-hosts.ts";
import { createSecretFiller } from "./secrets.ts";

/** Where a message goes. */
export interface Receiver {
  readonly url: string;
  /** `{{secret.NAME}}` in a value is filled in. */
  readonly headers: Readonly<Record<string, string>>;
  /** What signs it, base64 with or without `whsec_`; null for nothing. */
  readonly secret: string | null;
}

/** What sending a message reaches of the outside. */
export interface SendingPorts {
  readonly env: ModelEnv;
  readonly fetcher: typeof fetch;
  readonly now: () => number;
}

const TIMEOUT_MS = 10_000;

/** Posts one message by Standard Webhooks; 2xx is a success. The error never quotes the receiver, a header or a secret. */
export const postWebhook = async (
  { url, headers, secret }: Receiver,
  message: { readonly id: string; readonly body: string },
  { env, fetcher, now }: SendingPorts,
): Promise<Result<null, string>> => {
  const refused = egressRefusal(new URL(url), env["GODWIT_ALLOW_PRIVATE_HOSTS"]);
  if (refused !== undefined) return err(refused);
  const filler = createSecretFiller(env);
  const own = Object.entries(headers).map(([name, value]) => [name, filler.text(value).text] as const);
  const [missing] = filler.missing();
  if (missing !== undefined) return err(`the secret "${missing}" is not configured: set GODWIT_SECRET_${missing}`);
  const signed =
    secret === null ? ok([["webhook-id", message.id] as const]) : await standardHeaders(secret, message, now());
  if (!signed.ok) return signed;
  try {
    const response = await fetcher(url, {
      method: "POST",
      headers: Object.fromEntries([...own, ["content-type", "application/json"], ...signed.value]),
      body: message.body,
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok ? ok(null) : err(`the receiver answered ${response.status}`);
  } catch (error) {
    const late = error instanceof Error && error.name === "TimeoutError";
    return err(late ? "the receiver did not answer within 10 seconds" : "the receiver could not be reached");
  }
};
