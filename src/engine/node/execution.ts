import type { Json } from "../../lib/json.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";

/** What a node that needs no executor comes to (spec/workflow 6). */
export interface StaticExecution {
  readonly result: { readonly status: "completed"; readonly text: string };
  readonly artifacts: readonly ArtifactRecord[];
  readonly outcome: string;
  readonly branch: string;
}

/** A completed execution. */
export const completed = (
  text: string,
  outcome: string,
  branch: string,
  artifacts: readonly ArtifactRecord[] = [],
): StaticExecution => ({ result: { status: "completed", text }, artifacts, outcome, branch });

/** A node's metadata, as conditions read it. */
export type NodeMetadata = { readonly [key: string]: Json };
