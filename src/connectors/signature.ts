import { err, ok, type Result } from "../lib/result.ts";
import type { Timestamp } from "../lib/time.ts";
import type { SignatureStatus } from "../schema/trigger.ts";
import type { SignedRequest } from "./connector.ts";
import { invalidHeader, outOfWindow, type SignatureStyle, type WebhookError } from "./webhook-error.ts";

/** One way to sign a delivery (one row of the table in spec/triggers 19.2). */
export interface SignatureScheme {
  readonly style: SignatureStyle;
  /** `window_ms` replaces the default of five minutes; schemes without a timestamp ignore it. */
  readonly verify: (request: SignedRequest, window_ms?: number) => Promise<Result<SignatureStatus, WebhookError>>;
}

/** The answer of a scheme that found its signature. */
export const verified: Result<SignatureStatus, never> = ok({ state: "verified" });

/** How far a signature's time may lie from now, either way (spec/triggers 19.2). */
export const DEFAULT_WINDOW_MS = 300_000;

const LATEST_SECONDS = 8_640_000_000_000;

/** Reads unix seconds as a whole number; the header is named in the error. */
export const unixSecondsOf = (header: string, text: string): Result<number, WebhookError> => {
  const seconds = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Math.abs(seconds) <= LATEST_SECONDS) return ok(seconds);
  return err(invalidHeader(header, "expected a timestamp as an integer of unix seconds"));
};

/** An error unless the signature's time lies inside the window; exactly at its edge is inside (spec/triggers 19.1). */
export const checkWindow = (seconds: number, windowMs: number, now: Timestamp): WebhookError | null =>
  Math.abs(now - seconds * 1000) > windowMs ? outOfWindow(seconds * 1000, windowMs, now) : null;
