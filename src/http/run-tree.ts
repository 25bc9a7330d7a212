import { childRunId } from "../engine/observe/child-runs.ts";
import { buildRunTree, type RunTree } from "../engine/observe/run-tree.ts";
import type { RunRecord } from "../schema/record.ts";
import type { Call } from "./call.ts";
import { runObject } from "./run-object.ts";

/** How much of a tree is read. */
export interface TreeBounds {
  readonly depth: number;
  readonly limit: number;
}

/** Characters of records after which no further one is read: they are answered together. */
const MAX_CHARACTERS = 16_000_000;

const recordOf = async (call: Call, runId: string): Promise<RunRecord | null> =>
  (await runObject(call.env, call.tenant, runId).record({}))?.record ?? null;

const childIds = (record: RunRecord): readonly string[] => record.child_runs.map(childRunId).filter((id) => id !== "");

/**
 * The tree of a run, read level by level from the runs themselves; null for a run that does not exist. Runs beyond the
 * bounds are leaves, and `truncated` says that there are some (spec/workflow 12.8).
 */
export const readRunTree = async (
  call: Call,
  runId: string,
  { depth, limit }: TreeBounds,
): Promise<(RunTree & { readonly truncated: boolean }) | null> => {
  const root = await recordOf(call, runId);
  if (root === null) return null;
  const found = new Map<string, RunRecord>();
  const asked = new Set([root.id]);
  let truncated = false;
  let characters = JSON.stringify(root).length;
  let level: readonly RunRecord[] = [root];
  for (let down = 0; level.length > 0; down++) {
    const next: RunRecord[] = [];
    for (const id of level.flatMap(childIds)) {
      if (asked.has(id)) continue;
      if (down >= depth || asked.size >= limit || characters > MAX_CHARACTERS) {
        truncated = true;
        continue;
      }
      asked.add(id);
      const record = await recordOf(call, id);
      if (record === null) continue;
      characters += JSON.stringify(record).length;
      found.set(id, record);
      next.push(record);
    }
    level = next;
  }
  return { ...buildRunTree(root, (child) => found.get(childRunId(child)) ?? null), truncated };
};
