import { err, ok, type Result } from "../../lib/result.ts";
import type { RunExecutionRecord } from "../../schema/record.ts";
import type { WorkerExecution, WorkerWorktree } from "./state.ts";

const WORKTREES = ".harn/worktrees";

const directoryName = (path: string): string => {
  const last = path
    .trim()
    .split(/[/\\]/)
    .findLast((part) => part !== "");
  return last === undefined || last === "." || last === ".." ? "repo" : last;
};

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
  const { worktree } = profile;
  if (worktree === null) return ok({ profile, record: executionRecord(profile) });
  if (worktree.repo.trim() === "") return err("worker execution.worktree.repo must not be empty");
  const root = base === null ? WORKTREES : `${base}/${WORKTREES}`;
  const path = worktree.path ?? `${root}/${directoryName(worktree.repo)}/${workerId}`;
  const filled: WorkerWorktree = {
    ...worktree,
    path,
    branch: worktree.branch ?? `harn-${workerId}`,
    base_ref: worktree.base_ref ?? "HEAD",
  };
  const planned: WorkerExecution = { ...profile, cwd: path, worktree: filled };
  return ok({ profile: planned, record: executionRecord(planned) });
};
