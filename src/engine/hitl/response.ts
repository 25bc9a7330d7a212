import { sha256Hex } from "../../lib/stable-uuid.ts";
import { byCodePoint, type Json } from "../../lib/json.ts";

/** What a person answers (spec/workers 24.5). */
export interface HitlResponse {
  readonly request_id: string;
  readonly answer?: Json;
  readonly approved?: boolean;
  readonly accepted?: boolean;
  readonly reviewer?: string;
  readonly reason?: string;
  readonly metadata?: Json;
  /** RFC 3339; the moment it came in unless given. */
  readonly responded_at: string;
  readonly signature?: string;
}

/** One approval that counted, and what stands for it. */
export interface ApprovalSignature {
  readonly reviewer: string;
  readonly signed_at: string;
  readonly signature: string;
}

/** The proof of an approval that was reached (spec/workers 24.4). */
export interface ApprovalRecord {
  readonly approved: true;
  /** In order of their names, each once. */
  readonly reviewers: readonly string[];
  readonly approved_at: string;
  /** Of the approval that was counted last. */
  readonly reason: string | null;
  /** In the order of the responses. */
  readonly signatures: readonly ApprovalSignature[];
}

/** Who decides: how many it takes, and of whom; an empty list means anybody (spec/workers 24.5). */
export interface Electorate {
  readonly quorum: number;
  readonly allowed: readonly string[];
}

/** The approvals that have counted so far. */
export interface Tally {
  readonly reviewers: readonly string[];
  readonly signatures: readonly ApprovalSignature[];
  readonly reason: string | null;
  readonly approved_at: string | null;
}

/** Nobody has answered yet. */
export const NO_TALLY: Tally = { reviewers: [], signatures: [], reason: null, approved_at: null };

/** What stands for an approval that brought no signature of its own (spec/workers 24.5). */
export const selfSignature = (
  requestId: string,
  {
    reviewer,
    signed_at,
    reason,
  }: { readonly reviewer: string; readonly signed_at: string; readonly reason: string | null },
): string => {
  const lines = [
    "harn-hitl-approval-v1",
    `request_id:${requestId}`,
    `reviewer:${reviewer}`,
    `signed_at:${signed_at}`,
    "approved:true",
    `reason:${reason ?? ""}`,
  ];
  return `sha256:${sha256Hex(lines.map((line) => `${line}\n`).join(""))}`;
};

/** What a response makes of the tally. */
export type Counted =
  | { readonly type: "ignored" }
  | { readonly type: "counted"; readonly tally: Tally }
  | { readonly type: "approved"; readonly tally: Tally; readonly record: ApprovalRecord }
  | { readonly type: "denied"; readonly reviewer: string | null; readonly reason: string | null };

/** The name a reviewer gives; null for none. */
export const reviewerIn = ({ reviewer }: Pick<HitlResponse, "reviewer">): string | null => {
  const name = reviewer?.trim() ?? "";
  return name === "" ? null : name;
};

/**
 * Counts a response to an approval (spec/workers 24.5): somebody who is not asked, or has approved already, is ignored, and
 * a single denial ends it. An approval without a name never counts; where reviewers are listed, neither does a denial
 * (spec/workers 30, no. 12).
 */
export const countResponse = (tally: Tally, { quorum, allowed }: Electorate, response: HitlResponse): Counted => {
  const reviewer = reviewerIn(response);
  const reason = response.reason ?? null;
  if (allowed.length > 0 && (reviewer === null || !allowed.includes(reviewer))) return { type: "ignored" };
  if (reviewer !== null && tally.reviewers.includes(reviewer)) return { type: "ignored" };
  if (response.approved !== true) return { type: "denied", reviewer, reason };
  if (reviewer === null) return { type: "ignored" };
  const signed_at = response.responded_at;
  const signature = response.signature ?? selfSignature(response.request_id, { reviewer, signed_at, reason });
  const next: Tally = {
    reviewers: [...tally.reviewers, reviewer].toSorted(byCodePoint),
    signatures: [...tally.signatures, { reviewer, signed_at, signature }],
    reason,
    approved_at: signed_at,
  };
  if (next.reviewers.length < quorum) return { type: "counted", tally: next };
  const record: ApprovalRecord = {
    approved: true,
    reviewers: next.reviewers,
    approved_at: signed_at,
    reason,
    signatures: next.signatures,
  };
  return { type: "approved", tally: next, record };
};
