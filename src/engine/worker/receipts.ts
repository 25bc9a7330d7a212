import { canonicalJson, isObject, type Json, type JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { sha256Hex } from "../../lib/stable-uuid.ts";
import { rfc3339 } from "../../lib/time.ts";
import type { ResumeConditions, ResumeInitiator, SuspendInitiator } from "./state.ts";

/** Kinds of receipts (spec/workers 20). */
export type ReceiptKind = "suspension_receipt" | "resumption_receipt" | "drain_decision_receipt";

/** How a receipt is signed: with which key, and the HMAC-SHA-256 of a text with it, in hexadecimal. */
export interface ReceiptKey {
  readonly key_id: string;
  readonly sign: (text: string) => string;
}

/** A moment that nobody can move without the key (spec/workers 20). */
export interface SignedTimestamp {
  readonly at_ms: number;
  readonly at: string;
  readonly algorithm: "hmac-sha256";
  readonly key_id: string;
  readonly signature: string;
}

/** What a moment is signed for. */
export interface Signed {
  readonly kind: ReceiptKind;
  readonly at_ms: number;
  readonly subject: string;
  readonly initiator: string;
}

/** The receipt of a suspension (spec/workers 20). */
export interface SuspensionReceipt {
  readonly handle: string;
  readonly session_id: string | null;
  readonly initiator: SuspendInitiator;
  readonly initiator_id: string;
  readonly reason: string;
  readonly conditions?: ResumeConditions;
  readonly suspended_at: SignedTimestamp;
  readonly span_id?: string;
}

/** The receipt of a resumption (spec/workers 20). */
export interface ResumptionReceipt {
  readonly handle: string;
  readonly session_id: string | null;
  readonly initiator: ResumeInitiator;
  readonly initiator_id: string;
  /** May be redacted; the hash is of what was given. */
  readonly input?: Json;
  readonly input_hash: string | null;
  readonly continue_transcript: boolean;
  readonly linked_suspension_span_id?: string;
  readonly trigger_match?: { readonly source: string; readonly event_id: string; readonly filter_summary: string };
  readonly resumed_at: SignedTimestamp;
}

/** The receipt of what was decided about unsettled work (spec/workers 20). */
export interface DrainDecisionReceipt {
  readonly pipeline_id: string;
  readonly item: { readonly category: string; readonly id: string; readonly summary: Json };
  readonly action: "resume" | "cancel" | "handoff" | "acknowledge" | "defer" | "wait" | "finalize";
  readonly reason: string;
  readonly decided_by: string;
  readonly decided_at: SignedTimestamp;
  readonly prompt_hash?: string;
}

/** The text that the signature of a moment is over (spec/workers 20). */
export const timestampText = ({ kind, at_ms, subject, initiator }: Signed): string =>
  [
    "harn.lifecycle.timestamp.v1",
    `kind=${kind}`,
    `at_ms=${at_ms}`,
    `subject=${subject}`,
    `initiator=${initiator}`,
    "",
  ].join("\n");

const signed = (what: Signed, { key_id, sign }: ReceiptKey): SignedTimestamp => ({
  at_ms: what.at_ms,
  at: rfc3339(what.at_ms),
  algorithm: "hmac-sha256",
  key_id,
  signature: `sha256:${sign(timestampText(what))}`,
});

const hashOf = (text: string): string => `sha256:${sha256Hex(text)}`;

/** The hash of an input, the same whatever the order of its keys; null for no input (spec/workers 20). */
export const inputHash = (input: Json): string | null => (input === null ? null : hashOf(canonicalJson(input)));

/** The hash of a prompt that a decision was made with (spec/workers 20). */
export const promptHash = (prompt: string): string => hashOf(prompt);

/** A receipt before its moment is signed. */
export type Unsigned<Receipt, At extends keyof Receipt> = Omit<Receipt, At | "input_hash">;

/** The receipt of a suspension at a moment. */
export const suspensionReceipt = (
  facts: Unsigned<SuspensionReceipt, "suspended_at">,
  at_ms: number,
  key: ReceiptKey,
): SuspensionReceipt => {
  const { handle: subject, initiator_id: initiator } = facts;
  return { ...facts, suspended_at: signed({ kind: "suspension_receipt", at_ms, subject, initiator }, key) };
};

/** The receipt of a resumption at a moment; `facts.input` is as it was given, `redactions` take out what it may not show. */
export const resumptionReceipt = (
  facts: Unsigned<ResumptionReceipt, "resumed_at">,
  at_ms: number,
  { redactions = [], ...key }: ReceiptKey & { readonly redactions?: readonly Redaction[] },
): ResumptionReceipt => {
  const { handle: subject, initiator_id: initiator, input = null } = facts;
  return {
    ...facts,
    ...(input === null ? {} : { input: redacted(input, redactions) }),
    input_hash: inputHash(input),
    resumed_at: signed({ kind: "resumption_receipt", at_ms, subject, initiator }, key),
  };
};

/** The receipt of a decision about unsettled work at a moment. */
export const drainDecisionReceipt = (
  facts: Unsigned<DrainDecisionReceipt, "decided_at">,
  at_ms: number,
  key: ReceiptKey,
): DrainDecisionReceipt => {
  const { pipeline_id: subject, decided_by: initiator } = facts;
  return { ...facts, decided_at: signed({ kind: "drain_decision_receipt", at_ms, subject, initiator }, key) };
};

/** A place of an input that a receipt does not show, as a JSON pointer (RFC 6901), and why. */
export interface Redaction {
  readonly pointer: string;
  readonly reason: string;
}

const replaced = (value: Json, path: readonly string[], put: Json): Json => {
  const [key, ...rest] = path;
  if (key === undefined) return put;
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    return items.map((item, index) => (String(index) === key ? replaced(item, rest, put) : item));
  }
  if (!isObject(value) || !Object.hasOwn(value, key)) return value;
  return { ...value, [key]: replaced(value[key] as Json, rest, put) };
};

const stepsOf = (pointer: string): readonly string[] =>
  pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));

/** An input with the places taken out that a receipt does not show; a place that is not there changes nothing (spec/workers 20). */
export const redacted = (input: Json, redactions: readonly Redaction[]): Json =>
  redactions.reduce<Json>(
    (value, { pointer, reason }) => replaced(value, stepsOf(pointer), { $harn_redacted: reason } as JsonObject),
    input,
  );

/** Whether a moment is what the key has signed; otherwise HARN-SUS-013 (spec/workers 20). */
export const verifyTimestamp = (
  stamp: SignedTimestamp,
  what: Omit<Signed, "at_ms">,
  key: ReceiptKey,
): Result<null, string> => {
  const failed = (why: string): Result<null, string> =>
    err(`HARN-SUS-013 replay timestamp signature mismatch for ${what.subject} (${why})`);
  if (stamp.algorithm !== "hmac-sha256") return failed(`algorithm ${String(stamp.algorithm)}`);
  if (stamp.key_id !== key.key_id) return failed(`key ${stamp.key_id}, expected ${key.key_id}`);
  const { signature, at } = signed({ ...what, at_ms: stamp.at_ms }, key);
  if (!isSame(stamp.signature, signature)) return failed("signature");
  return stamp.at === at ? ok(null) : failed("at");
};

/** Compares two texts in a time that does not depend on where they differ. */
const isSame = (a: string, b: string): boolean => {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i += 1) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
};

/** On replay: the recorded input where the candidate is the same, otherwise HARN-SUS-011 (spec/workers 20). */
export const replayedInput = (receipt: ResumptionReceipt, candidate: Json): Result<Json, string> => {
  const hash = inputHash(candidate);
  if (hash === receipt.input_hash) return ok(receipt.input ?? null);
  const shown = `(expected ${receipt.input_hash ?? "none"}, got ${hash ?? "none"})`;
  return err(`HARN-SUS-011 replay resume input hash mismatch for ${receipt.handle} ${shown}`);
};

/** On replay: the recorded action where the prompt is the same, otherwise HARN-SUS-012 (spec/workers 20). */
export const replayedDrainAction = (
  receipt: DrainDecisionReceipt,
  prompt: string | null,
): Result<DrainDecisionReceipt["action"], string> => {
  const hash = prompt === null ? undefined : promptHash(prompt);
  if (hash === receipt.prompt_hash) return ok(receipt.action);
  const shown = `(expected ${receipt.prompt_hash ?? "none"}, got ${hash ?? "none"})`;
  return err(`HARN-SUS-012 replay drain prompt hash mismatch for ${receipt.item.id} ${shown}`);
};
