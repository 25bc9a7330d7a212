import type { Json } from "../../lib/json.ts";
import type { HitlKind } from "./kind.ts";
import type { HitlRequest } from "./state.ts";
import { resolveWaitpoints } from "./waitpoint.ts";

interface OfRequest {
  readonly message: string;
  readonly request_id: string;
}

/** What whoever asked is told when there is no answer (spec/workers 24.8). */
export type HumanError =
  | (OfRequest & { readonly name: "HumanTimeoutError"; readonly category: "timeout"; readonly kind: HitlKind })
  | (OfRequest & {
      readonly name: "ApprovalDeniedError";
      readonly category: "generic";
      readonly reviewers: readonly string[];
      readonly reason: string | null;
    })
  | (OfRequest & {
      readonly name: "HumanCancelledError";
      readonly category: "cancelled";
      readonly kind: HitlKind;
      readonly wait_id: string;
      readonly waitpoint_ids: readonly string[];
      readonly reason: string | null;
    })
  | (OfRequest & { readonly name: "SchemaError"; readonly category: "schema_validation" });

/** What a request has come to. */
export type HitlOutcome =
  | { readonly type: "pending" }
  | { readonly type: "value"; readonly value: Json }
  | { readonly type: "error"; readonly error: HumanError };

const timedOut = (request: HitlRequest): HitlOutcome => {
  const { asked, request_id } = request.asking;
  if (asked.kind === "question" && asked.default !== null) return { type: "value", value: asked.default };
  const { kind } = asked;
  return {
    type: "error",
    error: { name: "HumanTimeoutError", category: "timeout", message: `${kind} timed out`, request_id, kind },
  };
};

const calledOff = (request: HitlRequest): HitlOutcome => {
  const { waitpoint, asking } = request;
  const { reason, cancelled_by: by, id } = waitpoint;
  const { kind } = asking.asked;
  if (request.status === "denied") {
    const message = reason ?? "approval was denied";
    const reviewers = by === null ? [] : [by];
    return {
      type: "error",
      error: { name: "ApprovalDeniedError", category: "generic", message, request_id: id, reviewers, reason },
    };
  }
  const message = reason ?? `${kind} cancelled`;
  const of = { request_id: id, kind, wait_id: id, waitpoint_ids: [id], reason };
  return { type: "error", error: { name: "HumanCancelledError", category: "cancelled", message, ...of } };
};

/** What a request has come to: the answer, the approval's record, who took it over, or the typed error (spec/workers 24.3 to 24.8). */
export const outcomeOfRequest = (request: HitlRequest): HitlOutcome => {
  const { waitpoint, misfit, status } = request;
  if (status === "timed_out") return timedOut(request);
  const waited = resolveWaitpoints([waitpoint.id], () => waitpoint);
  if (waited.state === "pending") return { type: "pending" };
  if (waited.state === "cancelled") return calledOff(request);
  if (misfit === null) return { type: "value", value: waited.values[0] ?? null };
  const message = `ask_user: ${misfit}`;
  return {
    type: "error",
    error: { name: "SchemaError", category: "schema_validation", message, request_id: waitpoint.id },
  };
};
