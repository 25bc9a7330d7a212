import { gunzipSync, gzipSync } from "node:zlib";
import type { SignedRequest, Surroundings } from "../../src/connectors/connector.ts";
import { receive } from "../../src/connectors/receive.ts";
import { connectorFor } from "../../src/connectors/registry.ts";
import { hookOutcome } from "../../src/http/hook-answer.ts";
import { problemType } from "../../src/http/problem.ts";
import { type Receipt } from "../../src/schema/trigger.ts";
import { MAX_BODY_BYTES } from "../../src/schema/trigger-definition.ts";
import { bearer, type Headers, type Sender, SENDERS, stranger, type TokenChange } from "./hook-senders.ts";
import { Random } from "./random.ts";

/** Numbers from 0 to below 1, the same for the same seed. */
export type Numbers = () => number;

/** Numbers that follow from a seed. */
export const numbersFrom = (seed: number): Numbers => {
  const random = new Random(seed);
  return () => random.next();
};

const OTHER = "YW5vdGhlci1zZWNyZXQtZW50aXJlbHk=";

const NO_KEYS: Surroundings = { keys: () => Promise.resolve(null) };

/** What a delivery became. */
export interface Result {
  readonly sender: string;
  readonly attack: string;
  readonly status: number;
  readonly events: number;
}

const statusOf = (outcome: ReturnType<typeof hookOutcome>): number => {
  if (outcome instanceof Response) return outcome.status;
  return "code" in outcome ? problemType(outcome.code).status : outcome.done;
};

/** Triggers without a platform: the product's receiving, and a set of dedupe keys for each sender. */
export class Hooks {
  readonly #claimed = new Set<string>();

  /** Sends a delivery. */
  async send(sender: Sender, attack: string, request: Omit<SignedRequest, "content">): Promise<Result> {
    const connector = connectorFor(sender.provider);
    if (!connector.ok) throw new Error(connector.error.message);
    let events = 0;
    const reception = await receive<Receipt, never>(
      { request, connector: connector.value, binding: sender.binding, max_bytes: MAX_BODY_BYTES },
      {
        ...NO_KEYS,
        accept: ({ event }) => {
          const key = `${sender.name}/${event.dedupe_key}`;
          const duplicate = this.#claimed.has(key);
          this.#claimed.add(key);
          if (!duplicate) events += 1;
          return Promise.resolve({ type: "accepted", receipt: { event_id: key, receipt: key, duplicate }, duplicate });
        },
        keepHandshake: () => Promise.reject(new Error("a handshake was kept for a trigger that has a secret")),
        audit: () => undefined,
      },
    );
    const outcome = hookOutcome(reception, { connector: connector.value, trigger_id: "t", harn: false });
    return { sender: sender.name, attack, status: statusOf(outcome), events };
  }
}

interface Made {
  readonly body: Uint8Array;
  readonly headers: Headers;
  readonly now: number;
  readonly secrets?: readonly string[];
}

interface Scene {
  readonly sender: Sender;
  readonly random: Numbers;
  readonly now: number;
  readonly id: string;
  readonly document: Uint8Array;
}

const NOW = 1_776_600_000;

const upTo = (random: Numbers, count: number): number => Math.floor(random() * count);

const bytesOf = (random: Numbers, length: number): Uint8Array => Uint8Array.from({ length }, () => upTo(random, 256));

const genuine = ({ sender, now, id, document }: Scene, body = document, more: Headers = {}): Made => ({
  body,
  headers: { "content-type": "application/json", ...sender.sign(body, now, id), ...more },
  now,
});

const flipped = (random: Numbers, bytes: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  const at = upTo(random, copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << upTo(random, 8));
  return copy;
};

const authNames = (headers: Headers): readonly string[] =>
  Object.keys(headers).filter((name) =>
    /signature|authorization|timestamp|x-time|x-sign|x-api-key|webhook-id/.test(name),
  );

const withChanged = (made: Made, random: Numbers, change: (value: string) => string | null): Made => {
  const names = authNames(made.headers);
  const name = names[upTo(random, names.length)] ?? "";
  const { [name]: value = "", ...others } = made.headers;
  const changed = change(value);
  return { ...made, headers: changed === null ? others : { ...others, [name]: changed } };
};

const withAnotherDigit = (random: Numbers, text: string): string => {
  // Not at the very end: the last characters of base64 may stand for bits that nobody reads.
  const at = upTo(random, Math.max(text.length - 2, 1));
  const digit = String(upTo(random, 10));
  return text.slice(0, at) + (text[at] === digit ? (digit === "9" ? "0" : "9") : digit) + text.slice(at + 1);
};

const coversBody = ({ name }: Sender): boolean => !["webhook bearer", "webhook api_key", "a2a-push"].includes(name);

const pick = <T>(random: Numbers, values: readonly [T, ...T[]]): T => values[upTo(random, values.length)] ?? values[0];

/** Ways to tamper with a genuine delivery; null where a way is none for this sender. */
const ATTACKS: Readonly<Record<string, (scene: Scene) => Made | null>> = {
  "a flipped bit of the body": (scene) =>
    coversBody(scene.sender) ? { ...genuine(scene), body: flipped(scene.random, scene.document) } : null,
  "another digit in what proves it": (scene) =>
    withChanged(genuine(scene), scene.random, (value) => withAnotherDigit(scene.random, value)),
  "a header left out": (scene) => withChanged(genuine(scene), scene.random, () => null),
  "a header of garbage": (scene) =>
    withChanged(genuine(scene), scene.random, (value) => {
      const noise = Buffer.from(bytesOf(scene.random, 1 + upTo(scene.random, 40))).toString("latin1");
      return pick(scene.random, [
        noise,
        `${value.slice(0, 5)}${noise}`,
        "",
        " ",
        "sha256=",
        "v0=",
        "v1,",
        "Bearer ",
        "\u0000",
      ]);
    }),
  "a huge header": (scene) =>
    withChanged(genuine(scene), scene.random, (value) => `${value.slice(0, 8)}${"a1,v1=".repeat(2_000)}x`),
  "another secret": (scene) =>
    scene.sender.secrets.length === 0
      ? null
      : { ...genuine(scene), secrets: [OTHER, "x".repeat(upTo(scene.random, 20))] },
  "an old time": (scene) =>
    scene.sender.has_time ? { ...genuine(scene), now: scene.now + 400 + upTo(scene.random, 100_000) } : null,
  "a time to come": (scene) =>
    scene.sender.has_time ? { ...genuine(scene), now: scene.now - 400 - upTo(scene.random, 100_000) } : null,
  "signed JSON that breaks off": (scene) => {
    if (!scene.sender.json_only) return null;
    return genuine(scene, scene.document.subarray(0, upTo(scene.random, scene.document.length)));
  },
  "signed bytes that are no text": (scene) =>
    scene.sender.json_only
      ? genuine(scene, Uint8Array.of(0xff, ...bytesOf(scene.random, upTo(scene.random, 60))))
      : null,
  "signed JSON that nests too deeply": (scene) => {
    const deep = "[".repeat(300 + upTo(scene.random, 20_000));
    return scene.sender.json_only ? genuine(scene, Buffer.from(deep + deep.replaceAll("[", "]"))) : null;
  },
  "signed gzip that breaks off": (scene) => {
    const packed = gzipSync(scene.document);
    const body = packed.subarray(0, upTo(scene.random, packed.length));
    return genuine(scene, body, { "content-encoding": pick(scene.random, ["gzip", "x-gzip", "GZIP", "gzip, gzip"]) });
  },
  "signed gzip with a flipped bit": (scene) => {
    const body = flipped(scene.random, gzipSync(scene.document));
    try {
      // Some bits mean nothing, such as those of the time in its header.
      return gunzipSync(body).equals(scene.document) ? null : genuine(scene, body, { "content-encoding": "gzip" });
    } catch {
      return genuine(scene, body, { "content-encoding": "gzip" });
    }
  },
  "a signed bomb": (scene) =>
    genuine(scene, gzipSync(Buffer.alloc(MAX_BODY_BYTES * 4)), { "content-encoding": "gzip" }),
  "an encoding that nobody has": (scene) =>
    genuine(scene, scene.document, {
      "content-encoding": pick(scene.random, ["br", "zstd", "gzip, br", "gzip;q=1", "a,b,c", "constructor"]),
    }),
  "a handshake that nobody asked for": (scene) =>
    scene.sender.provider === "notion"
      ? { body: Buffer.from('{"verification_token":"secret_x"}'), headers: {}, now: scene.now }
      : null,
  "a form in place of JSON": (scene) =>
    scene.sender.json_only && scene.sender.provider !== "slack"
      ? genuine(scene, Buffer.from("a=1&b=%ff&payload=%7B"), { "content-type": "application/x-www-form-urlencoded" })
      : null,
  "another token": (scene) => {
    if (scene.sender.provider !== "a2a-push") return null;
    const { random, now, id } = scene;
    const headers = bearer(
      now,
      id,
      pick<TokenChange>(random, [
        { head: { alg: "none" } },
        { head: { alg: "HS256" } },
        { head: { kid: "k2" } },
        { head: { alg: "RS256" } },
        { key: stranger },
        { claims: { iss: "https://evil.example" } },
        { claims: { aud: ["other"] } },
        { claims: { exp: now } },
        { claims: { exp: "soon" } },
        { claims: { iat: now + 61 } },
        { claims: { iat: undefined } },
        { claims: { jti: "" } },
        { claims: { jti: 7 } },
        { claims: { nbf: now + 1_000 } },
      ]),
    );
    return { ...genuine(scene), headers };
  },
};

const sceneOf = (random: Numbers, turn: number): Scene => {
  const sender = SENDERS[turn % SENDERS.length] ?? (SENDERS[0] as Sender);
  const now = NOW + upTo(random, 1_000_000);
  const id = `d-${turn}-${upTo(random, 1e9)}`;
  return { sender, random, now, id, document: Buffer.from(JSON.stringify(sender.document(now, id))) };
};

const requestOf = ({ sender }: Scene, made: Made): Omit<SignedRequest, "content"> => ({
  method: "POST",
  path: "/hooks/t",
  headers: made.headers,
  body: made.body,
  now: made.now * 1000,
  secrets: made.secrets ?? sender.secrets,
});

/** One tampered delivery of the next sender. */
export const attackOnce = (hooks: Hooks, random: Numbers, turn: number): Promise<Result> => {
  const scene = sceneOf(random, turn);
  const names = Object.keys(ATTACKS);
  for (let at = upTo(random, names.length); ; at += 1) {
    const name = names[at % names.length] ?? "";
    const made = ATTACKS[name]?.(scene) ?? null;
    if (made !== null) return hooks.send(scene.sender, name, requestOf(scene, made));
  }
};

/** A genuine delivery and its replay, to see that the attacks fail for being attacks. */
export const genuineTwice = async (hooks: Hooks, random: Numbers, turn: number): Promise<readonly Result[]> => {
  const scene = sceneOf(random, turn);
  const request = requestOf(scene, genuine(scene));
  return [await hooks.send(scene.sender, "genuine", request), await hooks.send(scene.sender, "replay", request)];
};

/** Whether an attack was refused as the sender's fault, without an event. */
export const isRefused = ({ status, events }: Result): boolean => status >= 400 && status < 500 && events === 0;
