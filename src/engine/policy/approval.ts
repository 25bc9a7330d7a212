import type { Json } from "../../lib/json.ts";
import type { ToolAnnotations, ToolApprovalPolicy } from "../../schema/policy.ts";
import { isReadOnlyKind } from "./annotations.ts";
import { globMatch, globMatcher } from "./glob.ts";
import { declaredPaths, pathCandidates } from "./paths.ts";

/** An approval policy without any opinion. */
export const NO_APPROVAL_RULES: ToolApprovalPolicy = {
  auto_approve: [],
  auto_deny: [],
  require_approval: [],
  write_path_allowlist: [],
};

type NarrowingList = "auto_approve" | "write_path_allowlist";

/** Null for "no opinion", an empty list for "none". */
const opinion = (policy: ToolApprovalPolicy, list: NarrowingList): readonly string[] | null =>
  policy[list].length > 0 || policy.denied_all?.includes(list) ? policy[list] : null;

const meet = (a: readonly string[] | null, b: readonly string[] | null): readonly string[] | null => {
  if (a === null || b === null) return a ?? b;
  const common = new Set(b);
  return a.filter((pattern) => common.has(pattern));
};

const union = (a: readonly string[], b: readonly string[]): readonly string[] => [...new Set([...a, ...b])];

/** What `one` wants to be asked about and would no longer be: the other's approvals must not answer its questions. */
const overridden = (one: ToolApprovalPolicy, other: ToolApprovalPolicy): readonly string[] =>
  opinion(one, "auto_approve") === null && opinion(other, "auto_approve") !== null ? one.require_approval : [];

/**
 * The rules of both policies together (spec/workflow 10.4): refusals and questions add up, approvals and write paths are
 * those in both. Where two non-empty lists have nothing in common `denied_all` says that nothing is left.
 *
 * Within a policy an approval beats a question. Between two it must not: what one side asks about and does not approve is
 * kept in `always_require_approval`.
 */
export const intersectApprovalPolicies = (a: ToolApprovalPolicy, b: ToolApprovalPolicy): ToolApprovalPolicy => {
  const approve = meet(opinion(a, "auto_approve"), opinion(b, "auto_approve"));
  const paths = meet(opinion(a, "write_path_allowlist"), opinion(b, "write_path_allowlist"));
  const denied: NarrowingList[] = [];
  if (approve?.length === 0) denied.push("auto_approve");
  if (paths?.length === 0) denied.push("write_path_allowlist");
  const always = union(
    union(a.always_require_approval ?? [], overridden(a, b)),
    union(b.always_require_approval ?? [], overridden(b, a)),
  );
  return {
    auto_approve: approve ?? [],
    auto_deny: union(a.auto_deny, b.auto_deny),
    require_approval: union(a.require_approval, b.require_approval),
    write_path_allowlist: paths ?? [],
    ...(always.length > 0 ? { always_require_approval: always } : {}),
    ...(denied.length > 0 ? { denied_all: denied } : {}),
  };
};

/** A tool call to be judged. */
export interface ToolCallQuestion {
  readonly policy: ToolApprovalPolicy;
  readonly tool: string;
  readonly args: Json;
  /** Null for a tool that declares nothing: it counts as writing, but names no paths. */
  readonly annotations: ToolAnnotations | null;
  readonly workspace_roots?: readonly string[];
}

/** What becomes of a tool call. */
export type ApprovalVerdict =
  | { readonly decision: "auto_approved" }
  | { readonly decision: "auto_denied"; readonly reason: string }
  | { readonly decision: "requires_host_approval" };

const forbiddenPath = (question: ToolCallQuestion): string | null => {
  const { policy, args, annotations, workspace_roots: roots = [] } = question;
  const allowlist = opinion(policy, "write_path_allowlist");
  if (allowlist === null || annotations === null || isReadOnlyKind(annotations.kind)) return null;
  const allowed = globMatcher(allowlist);
  return declaredPaths(args, annotations).find((path) => !pathCandidates(path, roots).some(allowed)) ?? null;
};

/**
 * Judges a tool call (spec/workflow 10.4): refusals first, then write paths, then approvals, then questions; whatever no
 * rule speaks about is approved.
 */
export const evaluateApproval = (question: ToolCallQuestion): ApprovalVerdict => {
  const { policy, tool } = question;
  const refusal = policy.auto_deny.find((pattern) => globMatch(pattern, tool));
  if (refusal !== undefined) {
    return { decision: "auto_denied", reason: `tool '${tool}' matches deny pattern '${refusal}'` };
  }
  const path = forbiddenPath(question);
  if (path !== null) {
    return {
      decision: "auto_denied",
      reason: `tool '${tool}' targets '${path}' which is not in the write-path allowlist`,
    };
  }
  if (policy.always_require_approval?.some((pattern) => globMatch(pattern, tool)) === true) {
    return { decision: "requires_host_approval" };
  }
  const asked = policy.require_approval.some((pattern) => globMatch(pattern, tool));
  if (!asked || policy.auto_approve.some((pattern) => globMatch(pattern, tool))) return { decision: "auto_approved" };
  return { decision: "requires_host_approval" };
};
