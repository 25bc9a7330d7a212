import { filledLength } from "../../lib/body-marker.ts";
import type { Json } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import { microcompact } from "./microcompact.ts";
import { freshnessRank, type SelectionPolicy, selectArtifacts } from "./select.ts";

const FRESH_ENOUGH = 2;
const SMALLEST_SHARE = 500;
const CHARACTERS_PER_TOKEN = 4;
const SMALLEST_BODY = 200;

const pathsOf = (value: Json | undefined): string[] => {
  if (!Array.isArray(value)) return [];
  const paths: string[] = [];
  for (const entry of value as readonly Json[]) {
    const path = typeof entry === "string" ? entry.trim() : "";
    if (path !== "") paths.push(path);
  }
  return paths;
};

const isFresh = (artifact: ArtifactRecord): boolean => freshnessRank(artifact.freshness) >= FRESH_ENOUGH;

/** Leaves out evidence about paths that something fresher says were changed since (spec/workflow 9.2, step 1). */
export const dropStaleEvidence = (artifacts: readonly ArtifactRecord[]): readonly ArtifactRecord[] => {
  const changed = new Set<string>();
  for (const artifact of artifacts) {
    if (artifact.metadata["changed_paths"] === undefined || !isFresh(artifact)) continue;
    for (const path of pathsOf(artifact.metadata["changed_paths"])) changed.add(path);
  }
  if (changed.size === 0) return artifacts;
  return artifacts.filter(
    (artifact) =>
      artifact.metadata["evidence_paths"] === undefined ||
      isFresh(artifact) ||
      !pathsOf(artifact.metadata["evidence_paths"]).some((path) => changed.has(path)),
  );
};

/** Keeps the first of several artifacts with the same text; those without text are all kept (spec/workflow 9.2, step 2). */
export const dropDuplicates = (artifacts: readonly ArtifactRecord[]): readonly ArtifactRecord[] => {
  const seen = new Set<string>();
  return artifacts.filter(({ text }) => {
    if (text === null || text === "") return true;
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
};

/** Shortens every artifact that takes more than twice its share of the token limit (spec/workflow 9.2, step 3). */
export const compactOversized = (
  artifacts: readonly ArtifactRecord[],
  maxTokens: number,
): readonly ArtifactRecord[] => {
  const share = Math.floor(maxTokens / Math.max(artifacts.length, 1));
  const cap = Math.min(Math.max(share, SMALLEST_SHARE), maxTokens);
  const limit = cap * CHARACTERS_PER_TOKEN;
  if (limit < SMALLEST_BODY) return artifacts;
  return artifacts.map((artifact) => {
    const { text, estimated_tokens: tokens } = artifact;
    if (text === null || tokens === null || tokens <= 2 * cap || filledLength(text) <= limit) return artifact;
    return { ...artifact, text: microcompact(text, limit), estimated_tokens: cap };
  });
};

/**
 * Selection that first drops stale evidence and duplicates and shortens what is far too large (spec/workflow 9.2).
 *
 * Which duplicate survives is decided by the order given, before the policy's filters and order apply.
 */
export const selectAdaptive = (
  artifacts: readonly ArtifactRecord[],
  policy: SelectionPolicy,
): readonly ArtifactRecord[] => {
  const distinct = dropDuplicates(dropStaleEvidence(artifacts));
  const sized = policy.max_tokens === null ? distinct : compactOversized(distinct, policy.max_tokens);
  return selectArtifacts(sized, policy);
};
