import { ok, type Result } from "../../lib/result.ts";
import { planWorktree, WORKTREES } from "../../lib/worktree.ts";
import type { RunExecutionRecord } from "../../schema/record.ts";
import type { WorkerExecution } from "./state.ts";

/** The record that runs keep of where they execute (spec/workers 5). */
export const executionRecord = ({ cwd, env, worktree }: WorkerExecution): RunExecutionRecord => ({
  cwd,
  source_dir: null,
  env,
  adapter: worktree === null ? null : "worktree",
  repo_path: worktree?.repo ?? null,
  worktree_path: worktree === null ? null : (worktree.path ?? cwd),
  branch: worktree?.branch ?? null,
  base_ref: worktree?.base_ref ?? null,
  cleanup: worktree?.cleanup ?? null,
});

/** A profile with everything filled in, and its record. */
export interface ExecutionPlan {
  readonly profile: WorkerExecution;
  readonly record: RunExecutionRecord;
}

/**
 * Fills in where the working tree of a worker would be, its branch and its base (spec/workers 5). Nothing is made: a plan is
 * data for whoever has a file system. `base` is the directory that worktrees are below of; null for none.
 */
export const planExecution = (
  profile: WorkerExecution,
  workerId: string,
  base: string | null = null,
): Result<ExecutionPlan, string> => {
  const root = base === null ? WORKTREES : `${base}/${WORKTREES}`;
  const planned = planWorktree(profile, { worker_id: workerId, worktree_root: root });
  return planned.ok ? ok({ profile: planned.value, record: executionRecord(planned.value) }) : planned;
};
