import { createHmac, randomUUID } from "node:crypto";
import type { Receipt } from "../../schema/trigger.ts";
import { replyOf } from "../api.ts";

/** A delivery as GitHub sends it. */
export interface Delivery {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The signature GitHub puts over the bytes of a body. */
export const githubSignatureOf = (secret: string, body: string): string =>
  `sha256=${createHmac("sha256", secret).update(body, "utf8").digest("hex")}`;

/** A delivery of an event with a new delivery id, signed with the secret of the hook. */
export const githubDelivery = (event: string, body: string, secret: string): Delivery => ({
  body,
  headers: {
    Accept: "*/*",
    "Content-Type": "application/json",
    "User-Agent": "GitHub-Hookshot/7c1f2ab",
    "X-GitHub-Delivery": randomUUID(),
    "X-GitHub-Event": event,
    "X-GitHub-Hook-ID": "487126093",
    "X-GitHub-Hook-Installation-Target-ID": "663147178",
    "X-GitHub-Hook-Installation-Target-Type": "repository",
    "X-Hub-Signature-256": githubSignatureOf(secret, body),
  },
});

/** What came of a delivery. */
export interface Delivered {
  readonly receipt: Receipt;
  readonly status: number;
  /** The moment it was sent. */
  readonly sent_at_ms: number;
  readonly took_ms: number;
}

/** Sends a delivery to a hook. Throws a `LocalProblem` when it is refused. */
export const deliver = async (hook: string, { body, headers }: Delivery): Promise<Delivered> => {
  const sent_at_ms = Date.now();
  const startedAt = performance.now();
  const response = await fetch(hook, { method: "POST", headers, body });
  const receipt = await replyOf<Receipt>(response, `POST ${hook}`);
  return { receipt, status: response.status, sent_at_ms, took_ms: performance.now() - startedAt };
};
