import type { RunChildRecord, RunRecord } from "../../schema/record.ts";
import { recoverChildRuns } from "./child-runs.ts";

/** A run below another one, or the worker whose run cannot be found. */
export interface RunTreeChild {
  readonly worker: RunChildRecord;
  readonly run: RunRecord | null;
  readonly children: readonly RunTreeChild[];
}

/** A run and everything it delegated (spec/workflow 12.8). */
export interface RunTree {
  readonly run: RunRecord;
  readonly children: readonly RunTreeChild[];
}

/** Finds the record of a child run, or null when there is none to be read. */
export type FindChildRun = (child: RunChildRecord) => RunRecord | null;

const withChildren = (run: RunRecord): RunRecord => ({ ...run, child_runs: recoverChildRuns(run) });

const childTrees = (run: RunRecord, find: FindChildRun, above: ReadonlySet<string>): readonly RunTreeChild[] => {
  const path = new Set(above).add(run.id);
  return run.child_runs.map((worker) => {
    const found = find(worker);
    // A record that names one of its own ancestors as its child would make the tree endless.
    if (found === null || path.has(found.id)) return { worker, run: null, children: [] };
    const child = withChildren(found);
    return { worker, run: child, children: childTrees(child, find, path) };
  });
};

/** The tree of a run, its child runs and theirs; a child whose record is missing is a leaf (spec/workflow 12.8). */
export const buildRunTree = (root: RunRecord, find: FindChildRun): RunTree => {
  const run = withChildren(root);
  return { run, children: childTrees(run, find, new Set()) };
};
