import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { err, ok, type Result } from "../../lib/result.ts";
import { planWorktree, WORKTREES } from "../../lib/worktree.ts";
import type { CommandPayload } from "./payload.ts";
import { pathWithin, type Places } from "./places.ts";

/** Git may take this long to check a tree out. */
const GIT_MS = 300_000;

/** A working tree that a job executes in. */
export interface Tree {
  readonly repo: string;
  readonly path: string;
  readonly branch: string;
  readonly base_ref: string;
  readonly cleanup: string | null;
}

type GitEnvironment = Readonly<Record<string, string>>;

interface GitCall {
  readonly env: GitEnvironment;
  readonly signal?: AbortSignal;
}

/** Calls git; the error is what it said. */
const git = (repo: string, args: readonly string[], { env, signal }: GitCall): Promise<Result<null, string>> =>
  new Promise((done) => {
    const bound = { timeout: GIT_MS, ...(signal === undefined ? {} : { signal }) };
    const options = { cwd: repo, env: { ...env, GIT_TERMINAL_PROMPT: "0" }, ...bound };
    execFile("git", args, options, (error, _stdout, stderr) => {
      if (error === null) return done(ok(null));
      done(err(stderr.trim() === "" ? error.message : stderr.trim()));
    });
  });

const outside = (what: string, path: string): Result<never, string> =>
  err(`the runner does not work in the ${what} "${path}": it is outside of its --workdir and --worktrees`);

/** A path that was planned without knowing the runner's folders, within the folder of its trees. */
const inTrees = (path: string, { worktrees }: Places): string =>
  path.startsWith(`${WORKTREES}/`) ? `${worktrees}${path.slice(WORKTREES.length)}` : path;

/** The tree that a job asks for, with its paths absolute; null where it asks for none (spec/workers 5). */
export const treeOf = (payload: CommandPayload, places: Places): Result<Tree | null, string> => {
  const { worktree, worker_id } = payload;
  const profile = { cwd: null, env: {}, worktree };
  const planned = planWorktree(profile, { worker_id, worktree_root: places.worktrees });
  if (!planned.ok) return planned;
  const tree = planned.value.worktree;
  if (tree === null) return ok(null);
  const { path: given, branch, base_ref } = tree as { [Name in "path" | "branch" | "base_ref"]: string };
  const repo = pathWithin(places, tree.repo);
  if (repo === null) return outside("repository", tree.repo);
  const path = pathWithin(places, inTrees(given, places));
  if (path === null) return outside("working tree", given);
  // Git would take it for an option.
  const option = [branch, base_ref].find((text) => text.startsWith("-"));
  if (option !== undefined) return err(`worker worktree add failed: "${option}" is no name of a branch or a commit`);
  return ok({ repo, path, branch, base_ref, cleanup: tree.cleanup });
};

const makeParent = (path: string): Result<null, string> => {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return ok(null);
  } catch (error) {
    return err(`worker worktree mkdir error: ${error instanceof Error ? error.message : String(error)}`);
  }
};

const makeTree = async (tree: Tree, call: GitCall): Promise<Result<null, string>> => {
  // One that is there is taken as it is.
  if (existsSync(tree.path)) return ok(null);
  const made = makeParent(tree.path);
  if (!made.ok) return made;
  const added = await git(tree.repo, ["worktree", "add", "-B", tree.branch, tree.path, tree.base_ref], call);
  return added.ok ? added : err(`worker worktree add failed: ${added.error}`);
};

/** Makes and removes the working trees of a runner: one that two jobs use goes with the last of them (spec/workers 5). */
export class Trees {
  readonly #env: GitEnvironment;
  readonly #users = new Map<string, number>();
  /** What was last asked of git for each repository: it is asked one thing at a time. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(env: GitEnvironment) {
    this.#env = env;
  }

  /** Makes a tree, or takes the one that is there. Call `leave` for each `enter` that succeeded. */
  async enter(tree: Tree, signal: AbortSignal): Promise<Result<null, string>> {
    this.#count(tree, 1);
    const made = await this.#inTurn(tree, () => makeTree(tree, { env: this.#env, signal }));
    if (!made.ok) this.#count(tree, -1);
    return made;
  }

  /** Removes a tree that is to be removed, when nobody uses it any more; whether that succeeds is not asked. */
  async leave(tree: Tree): Promise<void> {
    this.#count(tree, -1);
    if (tree.cleanup !== "remove") return;
    await this.#inTurn(tree, async () => {
      if (this.#users.has(tree.path)) return;
      await git(tree.repo, ["worktree", "remove", "--force", tree.path], { env: this.#env });
    });
  }

  #count({ path }: Tree, more: 1 | -1): void {
    const users = (this.#users.get(path) ?? 0) + more;
    if (users === 0) this.#users.delete(path);
    else this.#users.set(path, users);
  }

  #inTurn<Value>({ repo }: Tree, task: () => Promise<Value>): Promise<Value> {
    const place = resolve(repo);
    const turn = (this.#last.get(place) ?? Promise.resolve()).then(task);
    this.#last.set(
      place,
      turn.catch(() => undefined),
    );
    return turn;
  }
}
