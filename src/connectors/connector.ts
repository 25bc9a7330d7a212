import type { Result } from "../lib/result.ts";
import type { Timestamp } from "../lib/time.ts";
import type { NormalisedEvent, SignatureSchemeName, SignatureStatus, TriggerProvider } from "../schema/trigger.ts";
import type { SignatureStyle, WebhookError } from "./webhook-error.ts";

/** A delivery as it came in: nothing is parsed, because signatures cover the exact bytes (spec/triggers 19.1). */
export interface SignedRequest {
  readonly method: string;
  /** The path without the query; only the canonical scheme signs it. */
  readonly path: string;
  /** Names in lower case (`lowerCaseHeaders`). */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** When the request was received, in milliseconds. */
  readonly now: Timestamp;
  /** The trigger's secret, and the previous one while it is being replaced: any of them verifies. */
  readonly secrets: readonly string[];
}

/** The settings of a trigger that its connector needs. */
export interface ConnectorBinding {
  readonly signature_scheme?: SignatureSchemeName | undefined;
  /** Name of the sender, for the generic webhook. */
  readonly source?: string | undefined;
}

/**
 * A provider of webhooks: proves that a delivery is genuine, and brings it into the common form.
 *
 * Both answer expected refusals as values. `normalise` must only be called with a request that `verify` accepted; it is
 * asynchronous because a delivery without an id is known by the digest of its body (spec/triggers 4.3).
 */
export interface Connector {
  readonly provider: TriggerProvider;
  /** The name of the scheme in audit records. */
  readonly style: (binding: ConnectorBinding) => SignatureStyle;
  readonly verify: (
    request: SignedRequest,
    binding: ConnectorBinding,
  ) => Promise<Result<SignatureStatus, WebhookError>>;
  readonly normalise: (
    request: SignedRequest,
    binding: ConnectorBinding,
  ) => Promise<Result<NormalisedEvent, WebhookError>>;
  /** The text that a verified delivery has to be answered with instead of a receipt, when it is no event but a test. */
  readonly challenge?: (request: SignedRequest, binding: ConnectorBinding) => string | null;
}
