import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { ContextPolicy } from "../../schema/policy.ts";

/** The fields of a context policy that choose artifacts. */
export type SelectionPolicy = Omit<ContextPolicy, "render">;

const NORMAL_FRESHNESS = 1;
const FRESHNESS_RANKS: ReadonlyMap<string, number> = new Map([
  ["fresh", 3],
  ["live", 3],
  ["recent", 2],
  ["stale", 0],
]);

/** How fresh an artifact is: fresh and live 3, recent 2, stale 0, anything else 1 (spec/workflow 1.14). */
export const freshnessRank = (freshness: string | null): number =>
  freshness === null ? NORMAL_FRESHNESS : (FRESHNESS_RANKS.get(freshness) ?? NORMAL_FRESHNESS);

interface Candidate {
  readonly artifact: ArtifactRecord;
  readonly pinned: boolean;
  readonly prioritized: boolean;
  readonly priority: number;
  /** 0 for all when the policy does not care. */
  readonly freshness: number;
  /** Empty for all when the policy does not care. */
  readonly createdAt: string;
  readonly relevance: number;
  readonly tokens: number;
}

const descending = <Key extends number | string | boolean>(a: Key, b: Key): number => (a > b ? -1 : a < b ? 1 : 0);

const compareCandidates = (a: Candidate, b: Candidate): number =>
  descending(a.pinned, b.pinned) ||
  descending(a.prioritized, b.prioritized) ||
  descending(a.priority, b.priority) ||
  descending(a.freshness, b.freshness) ||
  descending(a.createdAt, b.createdAt) ||
  descending(a.relevance, b.relevance) ||
  descending(b.tokens, a.tokens);

const setOrNull = (values: readonly string[]): ReadonlySet<string> | null =>
  values.length === 0 ? null : new Set(values);

/** Whether a policy lets an artifact of this kind and stage through at all (spec/workflow 9.3, filter). */
export const admits = (
  policy: Pick<SelectionPolicy, "include_kinds" | "exclude_kinds" | "include_stages">,
): ((artifact: ArtifactRecord) => boolean) => {
  const included = setOrNull(policy.include_kinds);
  const excluded = setOrNull(policy.exclude_kinds);
  const stages = setOrNull(policy.include_stages);
  return ({ kind, stage }) =>
    (included === null || included.has(kind)) &&
    excluded?.has(kind) !== true &&
    (stages === null || (stage !== null && stages.has(stage)));
};

const candidatesOf = (artifacts: readonly ArtifactRecord[], policy: SelectionPolicy): Candidate[] => {
  const isAdmitted = admits(policy);
  const pinned = setOrNull(policy.pinned_ids);
  const prioritized = setOrNull(policy.prioritize_kinds);
  const candidates: Candidate[] = [];
  for (const artifact of artifacts) {
    if (!isAdmitted(artifact)) continue;
    candidates.push({
      artifact,
      pinned: pinned?.has(artifact.id) ?? false,
      prioritized: prioritized?.has(artifact.kind) ?? false,
      priority: artifact.priority ?? 0,
      freshness: policy.prefer_fresh ? freshnessRank(artifact.freshness) : 0,
      createdAt: policy.prefer_recent ? artifact.created_at : "",
      relevance: artifact.relevance ?? Number.NEGATIVE_INFINITY,
      tokens: artifact.estimated_tokens ?? Number.POSITIVE_INFINITY,
    });
  }
  return candidates;
};

/**
 * The artifacts a policy lets through, best first (spec/workflow 9.3).
 *
 * An artifact that does not fit the rest of the token budget is passed over and a later, smaller one may still be
 * taken. Pinned artifacts come first but do not go beyond the budget.
 */
export const selectArtifacts = (
  artifacts: readonly ArtifactRecord[],
  policy: SelectionPolicy,
): readonly ArtifactRecord[] => {
  const candidates = candidatesOf(artifacts, policy).toSorted(compareCandidates);
  const limit = policy.max_artifacts ?? Number.POSITIVE_INFINITY;
  const budget =
    policy.max_tokens === null
      ? Number.POSITIVE_INFINITY
      : Math.max(0, policy.max_tokens - (policy.reserve_tokens ?? 0));
  const selected: ArtifactRecord[] = [];
  let used = 0;
  for (const { artifact } of candidates) {
    if (selected.length >= limit) break;
    const tokens = artifact.estimated_tokens ?? 0;
    if (used + tokens > budget) continue;
    used += tokens;
    selected.push(artifact);
  }
  return selected;
};
