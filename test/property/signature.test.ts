import * as fc from "fast-check";
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { SignedRequest } from "../../src/connectors/connector.ts";
import { SIGNATURE_SCHEMES } from "../../src/connectors/webhook.ts";
import { hmac, request } from "../unit/connectors/delivery.ts";

type Scheme = keyof typeof SIGNATURE_SCHEMES;
type Sign = (secret: string, body: Uint8Array, now: number) => Readonly<Record<string, string>>;

const joined = (head: string, body: Uint8Array): Uint8Array => Buffer.concat([Buffer.from(head), body]);

// Each scheme signed by another implementation, from the table of the specification.
const sign: Readonly<Record<Scheme, Sign>> = {
  github: (secret, body) => ({ "x-hub-signature-256": `sha256=${hmac(secret, body, "hex")}` }),
  slack: (secret, body, now) => ({
    "x-slack-request-timestamp": String(now),
    "x-slack-signature": `v0=${hmac(secret, joined(`v0:${now}:`, body), "hex")}`,
  }),
  stripe: (secret, body, now) => ({
    "stripe-signature": `t=${now},v1=${hmac(secret, joined(`${now}.`, body), "hex")}`,
  }),
  standard: (secret, body, now) => ({
    "webhook-id": "msg_1",
    "webhook-timestamp": String(now),
    "webhook-signature": `v1,${hmac(Buffer.from(secret, "base64"), joined(`msg_1.${now}.`, body), "base64")}`,
  }),
  canonical: (secret, body, now) => {
    const digest = createHash("sha256").update(body).digest("hex");
    const signature = hmac(secret, `POST\n/hooks/t\n${now}\n${digest}`, "base64");
    return { authorization: `HMAC-SHA256 timestamp=${now},signature=${signature}` };
  },
};

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  const at = (bit >> 3) % copy.length;
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  return copy;
};

// Base64 text is also a good text secret, so that every scheme takes it.
const secrets = fc.uint8Array({ minLength: 1, maxLength: 80 }).map((bytes) => Buffer.from(bytes).toString("base64"));
const bodies = fc.uint8Array({ minLength: 1, maxLength: 300 });
const times = fc.integer({ min: 1, max: 4_000_000_000 });

const verifies = async (scheme: Scheme, given: SignedRequest): Promise<boolean> =>
  (await SIGNATURE_SCHEMES[scheme].verify(given)).ok;

describe.each(Object.keys(sign) as Scheme[])("%s", (scheme) => {
  it("[T-19.1] what was signed verifies, also beside another secret, and no longer with any bit of the body flipped", async () => {
    await fc.assert(
      fc.asyncProperty(secrets, bodies, times, fc.nat(), async (secret, body, now, bit) => {
        const headers = sign[scheme](secret, body, now);
        expect(await verifies(scheme, request({ secret, body, headers, now }))).toBe(true);
        expect(await verifies(scheme, request({ secrets: ["b3RoZXI", secret], body, headers, now }))).toBe(true);
        expect(await verifies(scheme, request({ secret, body: flipped(body, bit), headers, now }))).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  it("[T-19.1] any flipped bit of the signature or the secret fails", async () => {
    await fc.assert(
      fc.asyncProperty(secrets, bodies, times, fc.nat(), async (secret, body, now, bit) => {
        const key = flipped(Buffer.from(secret, "base64"), bit);
        const otherSecret = Buffer.from(key).toString("base64");
        const headers = sign[scheme](secret, body, now);
        expect(await verifies(scheme, request({ secret: otherSecret, body, headers, now }))).toBe(false);
        // Signing with a changed secret is the same as changing the signature: it is another value of the same form.
        const forged = sign[scheme](otherSecret, body, now);
        expect(await verifies(scheme, request({ secret, body, headers: forged, now }))).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  it("[T-19.2] no header makes it throw, and none verifies by chance", async () => {
    const names = Object.keys(sign[scheme]("c2VjcmV0", new Uint8Array(1), 1));
    const prefixes = fc.constantFrom("", "sha256=", "v0=", "v1,", "t=1,v1=", "HMAC-SHA256 timestamp=1,signature=", "1");
    const value = fc.tuple(prefixes, fc.string()).map(([prefix, rest]) => prefix + rest);
    const headers = fc.dictionary(fc.constantFrom(...names), value);
    await fc.assert(
      fc.asyncProperty(headers, async (given) => {
        expect(await verifies(scheme, request({ secret: "c2VjcmV0", body: "x", headers: given, now: 1 }))).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
});

it("[T-19.1] any flipped bit of a GitHub signature fails", async () => {
  const body = new TextEncoder().encode("Hello, World!");
  const signature = Buffer.from(hmac("secret", body, "hex"), "hex");
  for (let bit = 0; bit < 256; bit += 1) {
    const headers = { "x-hub-signature-256": `sha256=${Buffer.from(flipped(signature, bit)).toString("hex")}` };
    expect(await verifies("github", request({ body, headers }))).toBe(false);
  }
});
