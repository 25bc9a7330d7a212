import type { Json } from "../../src/lib/json.ts";
import { projectPart } from "../../src/engine/run/project.ts";
import type { ArtifactRecord } from "../../src/schema/artifact.ts";
import type { RunShell } from "./run-record.ts";

/** The lists of a run's record that can be read a page at a time. */
export const RUN_PARTS = ["stages", "artifacts", "transitions", "checkpoints", "worker_updates"] as const;

export type PartName = (typeof RUN_PARTS)[number];

/** A page: at most `limit` items after the first `cursor`. */
export interface PartRequest {
  readonly limit: number;
  readonly cursor: number;
}

export interface PartPage {
  readonly items: readonly Json[];
  readonly next_cursor: number | null;
}

/** One page of a part of the run's record; null for a run that does not exist. */
export const pageOfPart = (shell: RunShell, part: PartName, { cursor, limit }: PartRequest): PartPage | null => {
  const page = projectPart(shell.entries(), part, { from: cursor, to: cursor + limit });
  if (page === null) return null;
  return { items: page.items as readonly Json[], next_cursor: page.more ? cursor + limit : null };
};

/** The newest artifact with this id, as the run's record shows it; null for a run that does not exist. */
export const findArtifact = (shell: RunShell, id: string): { readonly artifact: ArtifactRecord | null } | null => {
  const all = projectPart(shell.entries(), "artifacts", { from: 0, to: Number.MAX_SAFE_INTEGER });
  if (all === null) return null;
  const artifacts = all.items as readonly ArtifactRecord[];
  return { artifact: artifacts.findLast((artifact) => artifact.id === id) ?? null };
};
