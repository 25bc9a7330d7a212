import { createHmac } from "node:crypto";
import type { SignedRequest, Surroundings } from "../../../src/connectors/connector.ts";
import { lowerCaseHeaders } from "../../../src/connectors/headers.ts";

/** Surroundings without any key. */
export const NO_KEYS: Surroundings = { keys: () => Promise.resolve(null) };

const encoder = new TextEncoder();

/** A delivery as a test writes it: text instead of bytes, unix seconds, headers in any case. */
export interface Delivery {
  readonly secret?: string;
  readonly secrets?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly now?: number;
  readonly method?: string;
  readonly path?: string;
}

/** The request that a delivery becomes. */
export const request = (delivery: Delivery): SignedRequest => {
  const { body = "", now = 1_700_000_000, secret = "secret" } = delivery;
  return {
    method: delivery.method ?? "POST",
    path: delivery.path ?? "/hooks/t",
    headers: lowerCaseHeaders(Object.entries(delivery.headers ?? {})),
    body: typeof body === "string" ? encoder.encode(body) : body,
    now: now * 1000,
    secrets: delivery.secrets ?? [secret],
  };
};

/** HMAC-SHA256 by another implementation than the one under test. */
export const hmac = (key: string | Uint8Array, message: string | Uint8Array, encoding: "hex" | "base64"): string =>
  createHmac("sha256", key).update(message).digest(encoding);

/** Headers of a GitHub delivery with its signature. */
export const githubHeaders = (
  secret: string,
  body: string | Uint8Array,
  more: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> => ({
  "X-GitHub-Event": "issues",
  "X-GitHub-Delivery": "delivery-123",
  "Content-Type": "application/json",
  "X-Hub-Signature-256": `sha256=${hmac(secret, body, "hex")}`,
  ...more,
});
