import { rfc3339, type Timestamp } from "../lib/time.ts";

/** How a delivery was signed, as audit records name it (spec/triggers 19.1). */
export type SignatureStyle =
  | "github"
  | "slack"
  | "stripe"
  | "standard_webhooks"
  | "canonical_request"
  | "linear"
  | "notion"
  | "hmac"
  | "bearer"
  | "api_key"
  | "jwt"
  | "none";

/**
 * Why a delivery is refused (spec/triggers 19.1). `message` is the exact text of the specification; the HTTP layer
 * decides by `kind`.
 */
export type WebhookError =
  | { readonly kind: "missing_header"; readonly header: string; readonly message: string }
  | { readonly kind: "invalid_header"; readonly header: string; readonly detail: string; readonly message: string }
  | { readonly kind: "invalid_signature"; readonly message: string }
  | {
      readonly kind: "timestamp_out_of_window";
      readonly message: string;
      /** RFC 3339. */
      readonly signed_at: string;
      readonly window_seconds: number;
    }
  | { readonly kind: "json"; readonly message: string }
  | { readonly kind: "unsupported"; readonly message: string }
  /** The trigger is not configured for this delivery. */
  | { readonly kind: "activation"; readonly message: string }
  /** A token that may be used once was used before. */
  | { readonly kind: "duplicate_delivery"; readonly message: string }
  /** The body is too large once it is unpacked. */
  | { readonly kind: "too_large"; readonly message: string }
  /** Something that is needed for the verification cannot be reached now. */
  | { readonly kind: "unavailable"; readonly message: string };

/** A header that the scheme or the provider demands is not there. */
export const missingHeader = (header: string): WebhookError => ({
  kind: "missing_header",
  header,
  message: `missing required header \`${header}\``,
});

/** A header is there and cannot be read. */
export const invalidHeader = (header: string, detail: string): WebhookError => ({
  kind: "invalid_header",
  header,
  detail,
  message: `invalid header \`${header}\`: ${detail}`,
});

/** No secret of the trigger produced this signature. */
export const invalidSignature = (message: string): WebhookError => ({ kind: "invalid_signature", message });

/** The body cannot be read as JSON. */
export const invalidJson = (message: string): WebhookError => ({ kind: "json", message });

/** The provider does not take this in. */
export const unsupported = (message: string): WebhookError => ({ kind: "unsupported", message });

/** The trigger is not configured for this delivery. */
export const activation = (message: string): WebhookError => ({ kind: "activation", message });

/** The signature is too old or from the future. */
export const outOfWindow = (signedAt: Timestamp, windowMs: number, now: Timestamp): WebhookError => {
  const seconds = windowMs / 1000;
  return {
    kind: "timestamp_out_of_window",
    message:
      `timestamp ${rfc3339(signedAt)} is outside the allowed verification window of ` +
      `${seconds}s around ${rfc3339(now)}`,
    signed_at: rfc3339(signedAt),
    window_seconds: seconds,
  };
};

/** One rejected delivery in the audit (`audit.signature_verify`, spec/triggers 19.1); it never holds a signature. */
export interface SignatureRejection {
  readonly provider: string;
  readonly style: SignatureStyle;
  readonly reason: string;
  readonly observed_at: string;
  readonly signed_at: string | null;
  readonly window_seconds: number | null;
}

/** The audit record of a refused verification (spec/triggers 19.1). */
export const signatureRejection = (
  error: WebhookError,
  from: { readonly provider: string; readonly style: SignatureStyle; readonly now: Timestamp },
): SignatureRejection => {
  const timed = error.kind === "timestamp_out_of_window" ? error : null;
  return {
    provider: from.provider,
    style: from.style,
    reason: error.message,
    observed_at: rfc3339(from.now),
    signed_at: timed?.signed_at ?? null,
    window_seconds: timed?.window_seconds ?? null,
  };
};
