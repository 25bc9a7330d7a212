import { canonicalJson, type Json } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { ContextPolicy } from "../../schema/policy.ts";
import { selectArtifacts } from "../artifact/select.ts";
import type { WorkerCarryPolicy } from "./state.ts";

/** The context policy that has no opinion (spec/workers 4). */
export const ANY_CONTEXT: ContextPolicy = {
  max_artifacts: null,
  max_tokens: null,
  reserve_tokens: null,
  include_kinds: [],
  exclude_kinds: [],
  prioritize_kinds: [],
  pinned_ids: [],
  include_stages: [],
  prefer_recent: false,
  prefer_fresh: false,
  render: null,
};

const hasOpinion = (policy: ContextPolicy): boolean =>
  canonicalJson(policy as unknown as Json) !== canonicalJson(ANY_CONTEXT as unknown as Json);

/** The artifacts of one cycle that the next one gets: none, all, or what the context policy selects (spec/workers 4). */
export const carryArtifacts = (
  artifacts: readonly ArtifactRecord[],
  carry: Pick<WorkerCarryPolicy, "artifact_mode" | "context_policy">,
): readonly ArtifactRecord[] => {
  if (carry.artifact_mode === "none") return [];
  return hasOpinion(carry.context_policy) ? selectArtifacts(artifacts, carry.context_policy) : artifacts;
};
