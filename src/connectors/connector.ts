import type { Json, JsonObject } from "../lib/json.ts";
import { ok, type Result } from "../lib/result.ts";
import type { Timestamp } from "../lib/time.ts";
import type { AuthSettings } from "../schema/trigger-auth.ts";
import type { NormalisedEvent, SignatureStatus } from "../schema/trigger.ts";
import type { SignatureStyle, WebhookError } from "./webhook-error.ts";

/** A delivery as it came in: nothing is parsed, because signatures cover the exact bytes (spec/triggers 19.1). */
export interface SignedRequest {
  readonly method: string;
  /** The path without the query; only the canonical scheme signs it. */
  readonly path: string;
  /** Names in lower case (`lowerCaseHeaders`). */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as received: what signatures cover. */
  readonly body: Uint8Array;
  /** The body without its `Content-Encoding`; left out where it has none. */
  readonly content?: Result<Uint8Array, WebhookError>;
  /** When the request was received, in milliseconds. */
  readonly now: Timestamp;
  /** The trigger's secret, and the previous one while it is being replaced: any of them verifies. */
  readonly secrets: readonly string[];
}

/** The settings of a trigger that its connector needs. */
export interface ConnectorBinding extends AuthSettings {
  /** Id of the trigger, as error texts name it. */
  readonly id?: string | undefined;
}

/** A token that authorises one push (spec/triggers 19.5). */
export interface PushToken {
  readonly jti: string;
  readonly expires_at_ms: Timestamp;
  readonly claims: JsonObject;
}

/** What `verify` found. */
export interface Proof {
  readonly status: SignatureStatus;
  readonly token?: PushToken;
}

/** The keys behind an address of a JWKS; null when they cannot be read now. */
export type KeySource = (url: string, options: { readonly refresh: boolean }) => Promise<readonly Json[] | null>;

/** What connectors need from the outside. */
export interface Surroundings {
  readonly keys: KeySource;
}

/** An answer that the provider demands instead of a receipt. */
export interface ImmediateAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/**
 * A provider of webhooks: proves that a delivery is genuine, and brings it into the common form.
 *
 * Both answer expected refusals as values. `normalise` must only be called with a request that `verify` accepted; it is
 * asynchronous because a delivery without an id is known by the digest of its body (spec/triggers 4.3).
 */
export interface Connector {
  readonly provider: string;
  /** The name of the scheme in audit records. */
  readonly style: (binding: ConnectorBinding) => SignatureStyle;
  /** Whether a trigger must have a secret before it takes anything in; true where it is left out. */
  readonly needsSecret?: (binding: ConnectorBinding) => boolean;
  /** Why a binding cannot be activated (spec/triggers 19.5). */
  readonly activate?: (binding: ConnectorBinding) => WebhookError | null;
  readonly verify: (
    request: SignedRequest,
    binding: ConnectorBinding,
    surroundings: Surroundings,
  ) => Promise<Result<Proof, WebhookError>>;
  readonly normalise: (
    request: SignedRequest,
    binding: ConnectorBinding,
    proof: Proof,
  ) => Promise<Result<NormalisedEvent, WebhookError>>;
  /** The events of a delivery that carries several; null for one that is an event itself. */
  readonly normaliseBatch?: (
    request: SignedRequest,
    binding: ConnectorBinding,
  ) => Promise<Result<readonly NormalisedEvent[], WebhookError>> | null;
  /** The text that a verified delivery has to be answered with instead of a receipt, when it is no event but a test. */
  readonly challenge?: (request: SignedRequest, binding: ConnectorBinding) => string | null;
  /** The token that a provider sends while it does not know yet whether this address is the right one. */
  readonly handshake?: (request: SignedRequest) => string | null;
  /** The answer once the event is stored, where the provider wants another one than a receipt. */
  readonly answer?: (request: SignedRequest) => ImmediateAnswer | null;
  /** The only status that the provider takes for success, where it is particular; 202 otherwise. */
  readonly receiptStatus?: number;
  /** Further headers of an answer with this status. */
  readonly headersFor?: (status: number) => Readonly<Record<string, string>>;
}

/** The body's bytes without their encoding. */
export const contentOf = (request: SignedRequest): Result<Uint8Array, WebhookError> =>
  request.content ?? ok(request.body);

/** The proof of a delivery whose signature is right. */
export const PROVEN: Proof = { status: { state: "verified" } };
