import type { Result } from "../lib/result.ts";
import { rfc3339 } from "../lib/time.ts";
import type { NormalisedEvent } from "../schema/trigger.ts";
import type { Connector, ConnectorBinding, ImmediateAnswer, Proof, SignedRequest, Surroundings } from "./connector.ts";
import { decodedContent } from "./content.ts";
import { activation, type SignatureRejection, signatureRejection, type WebhookError } from "./webhook-error.ts";

/** A verified event on its way to its trigger. */
export interface Arrival {
  readonly event: NormalisedEvent;
  /** The bytes as received; a delivery of several events has none of its own for each. */
  readonly raw: Uint8Array | null;
  /** How long the dedupe key must stay claimed: the life of the token that authorised the event. */
  readonly claim_ttl_ms?: number;
}

/** A token that a provider sent to prove that this address is the right one. */
export interface Handshake {
  readonly binding_id: string;
  readonly path: string;
  readonly verification_token: string;
  readonly captured_at: string;
}

/** What a trigger says to an event: a receipt, a text that only the caller understands, or that it has to be asked anew. */
export type Accepted<Receipt, Refusal> =
  | { readonly type: "accepted"; readonly receipt: Receipt; readonly duplicate: boolean }
  | { readonly type: "refused"; readonly refusal: Refusal }
  | { readonly type: "stale" };

/** What receiving needs from the platform. */
export interface ReceivePorts<Receipt, Refusal> extends Surroundings {
  readonly accept: (arrival: Arrival) => Promise<Accepted<Receipt, Refusal>>;
  readonly keepHandshake: (handshake: Handshake) => Promise<void>;
  /** Writes down a refused signature (`audit.signature_verify`, spec/triggers 19.1). */
  readonly audit: (rejection: SignatureRejection) => void;
}

/** What became of a delivery; how it is put into words is up to whoever answers. */
export type Reception<Receipt, Refusal> =
  | { readonly type: "received"; readonly receipts: readonly Receipt[]; readonly duplicates: number }
  | { readonly type: "immediate"; readonly answer: ImmediateAnswer }
  | { readonly type: "handshake"; readonly token: string }
  /** The delivery was not proven to be genuine, or cannot be read. */
  | { readonly type: "invalid"; readonly error: WebhookError; readonly stage: "signature" | "payload" }
  | { readonly type: "refused"; readonly refusal: Refusal }
  | { readonly type: "stale" };

/** A delivery, and the trigger that its address names. */
export interface Incoming {
  readonly request: Omit<SignedRequest, "content">;
  readonly connector: Connector;
  readonly binding: ConnectorBinding;
  /** How large the body may become when it is unpacked. */
  readonly max_bytes: number;
}

const invalid = (error: WebhookError, stage: "signature" | "payload") => ({ type: "invalid", error, stage }) as const;

const eventsOf = async (
  { connector, binding }: Incoming,
  request: SignedRequest,
  proof: Proof,
): Promise<Result<readonly NormalisedEvent[], WebhookError>> => {
  const batch = connector.normaliseBatch?.(request, binding) ?? null;
  if (batch !== null) return batch;
  const event = await connector.normalise(request, binding, proof);
  return event.ok ? { ok: true, value: [event.value] } : event;
};

const acceptAll = async <Receipt, Refusal>(
  events: readonly Omit<Arrival, "claim_ttl_ms">[],
  claim: Pick<Arrival, "claim_ttl_ms">,
  ports: ReceivePorts<Receipt, Refusal>,
): Promise<Reception<Receipt, Refusal>> => {
  const receipts: Receipt[] = [];
  let duplicates = 0;
  for (const arrival of events) {
    const answer = await ports.accept({ ...arrival, ...claim });
    // A batch that breaks off is delivered again; what was accepted of it is a duplicate then.
    if (answer.type !== "accepted") return answer;
    receipts.push(answer.receipt);
    if (answer.duplicate) duplicates += 1;
  }
  return { type: "received", receipts, duplicates };
};

const claimOf = ({ token }: Proof, now: number): Pick<Arrival, "claim_ttl_ms"> =>
  token === undefined ? {} : { claim_ttl_ms: Math.max(token.expires_at_ms - now, 1000) };

/**
 * Takes a delivery in: unpack, verify over the bytes as received, answer what is no event, normalise, accept
 * (spec/triggers 19.1, 20.5).
 */
export const receive = async <Receipt, Refusal>(
  incoming: Incoming,
  ports: ReceivePorts<Receipt, Refusal>,
): Promise<Reception<Receipt, Refusal>> => {
  const { connector, binding, max_bytes: limit } = incoming;
  const { headers, body, now, path } = incoming.request;
  if (incoming.request.secrets.length === 0 && (connector.needsSecret?.(binding) ?? true))
    return invalid(activation(`trigger '${binding.id ?? connector.provider}' requires a signing secret`), "signature");
  const content = await decodedContent(body, headers["content-encoding"], limit);
  const request: SignedRequest = content === null ? incoming.request : { ...incoming.request, content };
  const proof = await connector.verify(request, binding, ports);
  if (!proof.ok) {
    ports.audit(
      signatureRejection(proof.error, { provider: connector.provider, style: connector.style(binding), now }),
    );
    return invalid(proof.error, "signature");
  }
  if (content !== null && !content.ok) return invalid(content.error, "payload");
  const token = connector.handshake?.(request) ?? null;
  if (token !== null) {
    const handshake = { binding_id: binding.id ?? "", path, verification_token: token, captured_at: rfc3339(now) };
    await ports.keepHandshake(handshake);
    return { type: "handshake", token };
  }
  const challenge = connector.challenge?.(request, binding) ?? null;
  if (challenge !== null) {
    const type = { "content-type": "text/plain; charset=utf-8" };
    return { type: "immediate", answer: { status: 200, headers: type, body: challenge } };
  }
  const events = await eventsOf(incoming, request, proof.value);
  if (!events.ok) return invalid(events.error, "payload");
  const isBatch = events.value.length !== 1;
  const arrivals = events.value.map((event) => ({ event, raw: isBatch ? null : body }));
  const received = await acceptAll(arrivals, claimOf(proof.value, now), ports);
  const answer = received.type === "received" ? (connector.answer?.(request) ?? null) : null;
  return answer === null ? received : { type: "immediate", answer };
};
