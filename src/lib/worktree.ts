import { err, ok, type Result } from "./result.ts";

/** A working tree of git that commands run in (spec/workers 5); null where nothing was said. */
export interface WorktreeSpec {
  readonly repo: string;
  readonly path: string | null;
  readonly branch: string | null;
  readonly base_ref: string | null;
  readonly cleanup: string | null;
}

/** Where commands run (spec/workers 5). */
export interface ExecutionProfile {
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly worktree: WorktreeSpec | null;
}

/** Where the trees without a path of their own are, below the folder that commands run in (spec/workers 5). */
export const WORKTREES = ".harn/worktrees";

/** Whose tree it is, and the folder of the trees that have no path of their own. */
export interface TreeOwner {
  readonly worker_id: string;
  readonly worktree_root: string;
}

/** The last part of a path: the folder of a repository's trees; `repo` where there is none. */
const folderOf = (repo: string): string => {
  const name =
    repo
      .trim()
      .split("/")
      .findLast((part) => part !== "") ?? "";
  return name === "" || name === "." || name === ".." ? "repo" : name;
};

const given = (text: string | null): string | null => (text === null || text.trim() === "" ? null : text);

/**
 * A profile with the path, branch and base of its tree filled in, and its commands in that tree (spec/workers 5, steps 1-4
 * and 6). Making the tree is left to whoever has git.
 */
export const planWorktree = (profile: ExecutionProfile, owner: TreeOwner): Result<ExecutionProfile, string> => {
  const { worktree } = profile;
  if (worktree === null) return ok(profile);
  if (worktree.repo.trim() === "") return err("worker execution.worktree.repo must not be empty");
  const path = given(worktree.path) ?? `${owner.worktree_root}/${folderOf(worktree.repo)}/${owner.worker_id}`;
  return ok({
    ...profile,
    cwd: path,
    worktree: {
      ...worktree,
      path,
      branch: given(worktree.branch) ?? `harn-${owner.worker_id}`,
      base_ref: given(worktree.base_ref) ?? "HEAD",
    },
  });
};
