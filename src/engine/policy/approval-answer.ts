import { isObject, type Json } from "../../lib/json.ts";

/** What a person or a host made of a call that needed approval. */
export type ApprovalAnswer =
  | { readonly type: "granted"; readonly arguments?: Json }
  | { readonly type: "denied"; readonly reason: string };

const DENIED = "host did not grant approval";

/** What becomes of a question that nobody answers: there is no one to ask, or asking failed (spec/workflow 10.4). */
export const unansweredApproval = (why: "nobody" | "failed"): ApprovalAnswer => ({
  type: "denied",
  reason:
    why === "nobody"
      ? "approval required but no host bridge is available"
      : "approval request failed or host does not implement session/request_permission",
});

const isGranted = (answer: { readonly [key: string]: Json }): boolean => {
  const { outcome } = answer;
  const chosen = isObject(outcome) ? outcome["outcome"] : outcome;
  return chosen === "selected" || chosen === "allow" || answer["granted"] === true;
};

/**
 * Reads the answer to a request for approval (spec/workflow 10.4): granted for the outcome `selected` or `allow`, or
 * `granted: true`; its `args` replace the arguments of the call, which then pass `recheckAfter`.
 */
export const readApprovalAnswer = (answer: Json): ApprovalAnswer => {
  if (!isObject(answer)) return { type: "denied", reason: DENIED };
  if (isGranted(answer)) {
    const { args } = answer;
    return args === undefined || args === null ? { type: "granted" } : { type: "granted", arguments: args };
  }
  const { reason } = answer;
  return { type: "denied", reason: typeof reason === "string" && reason !== "" ? reason : DENIED };
};
