import * as z from "zod";
import { time } from "./api.ts";
import { triggerReportSchema } from "./trigger.ts";

/** Longest secret of a trigger, in characters. */
const MAX_SECRET_LENGTH = 1_000;

const DAY_SECONDS = 86_400;

/** How long the secret before stays valid unless told otherwise, and at most. */
const DEFAULT_OVERLAP_SECONDS = DAY_SECONDS;
const MAX_OVERLAP_SECONDS = 30 * DAY_SECONDS;

/** A secret as objects get it: nobody without a master key can read it, or tell of two whether they are the same. */
export interface SealedSecret {
  readonly sealed: string;
  /** Under every master key; the first belongs to the key that seals. */
  readonly digests: readonly [string, ...string[]];
}

/** A sealed secret that verifies deliveries now. */
export interface HeldSecret {
  readonly id: string;
  readonly sealed: string;
  /** When it ends; null for the current one. */
  readonly expires_at_ms: number | null;
}

/** A held secret sealed under another key. */
export interface ResealedSecret {
  readonly id: string;
  readonly sealed: string;
  readonly digest: string;
}

/** A token that a provider sent to prove that this address is the right one, sealed. */
export interface SealedHandshake {
  readonly sealed: string;
  readonly captured_at: string;
}

/** The answer of `GET /v1/triggers/{id}/handshake`. */
export const handshakeSchema = z
  .object({
    verification_token: z.string().describe("Enter it at the provider, and put the trigger with it as `secret`"),
    captured_at: time,
  })
  .readonly();

/** A token that a provider sent, as its owner sees it. */
export type Handshake = z.output<typeof handshakeSchema>;

/** The body of `POST /v1/triggers/{id}/rotate_secret`. */
export const rotateSecretSchema = z
  .strictObject({
    secret: z.string().min(1).max(MAX_SECRET_LENGTH).optional().describe("The new secret; without it say `generate`"),
    generate: z.literal(true).optional().describe("Make a secret and show it in this answer only"),
    overlap_seconds: z
      .number()
      .int()
      .min(0)
      .max(MAX_OVERLAP_SECONDS)
      .default(DEFAULT_OVERLAP_SECONDS)
      .describe("How long the secret before stays valid; at most 30 days"),
  })
  .refine(({ secret, generate }) => (secret === undefined) !== (generate === undefined), {
    path: ["secret"],
    error: "give either `secret` or `generate: true`",
  })
  .readonly();

/** The body of `POST /v1/triggers/{id}/rotate_secret`. */
export type RotateSecret = z.output<typeof rotateSecretSchema>;

/** The answer to a rotation. */
export const rotatedSecretSchema = z
  .object({
    trigger: triggerReportSchema,
    secret: z.string().optional().describe("The secret that was made; no other answer ever shows it"),
  })
  .readonly();

/** The answer to a rotation. */
export type RotatedSecret = z.output<typeof rotatedSecretSchema>;
