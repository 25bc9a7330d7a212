import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readPayload } from "../../../src/cli/runner/payload.ts";
import { pathWithin } from "../../../src/cli/runner/places.ts";
import { treeOf } from "../../../src/cli/runner/worktree.ts";
import { type ExecutionProfile, planWorktree } from "../../../src/lib/worktree.ts";

const OWNER = { worker_id: "worker_9", worktree_root: "/trees" };
const NONE = { path: null, branch: null, base_ref: null, cleanup: null };

const profile = (worktree: ExecutionProfile["worktree"]): ExecutionProfile => ({
  cwd: "/x",
  env: { A: "1" },
  worktree,
});

describe("the plan of a working tree", () => {
  it("[L-5] fills in path, branch and base, and works in the tree", () => {
    expect(planWorktree(profile({ repo: "/srv/repos/app", ...NONE }), OWNER)).toEqual({
      ok: true,
      value: {
        cwd: "/trees/app/worker_9",
        env: { A: "1" },
        worktree: {
          repo: "/srv/repos/app",
          path: "/trees/app/worker_9",
          branch: "harn-worker_9",
          base_ref: "HEAD",
          cleanup: null,
        },
      },
    });
  });

  it("[L-5] keeps what was said", () => {
    const worktree = { repo: "/r", path: "/wt/p", branch: "b", base_ref: "main", cleanup: "remove" };
    expect(planWorktree(profile(worktree), OWNER)).toEqual({
      ok: true,
      value: { ...profile(worktree), cwd: "/wt/p" },
    });
    expect(planWorktree(profile(null), OWNER)).toEqual({ ok: true, value: profile(null) });
  });

  it.each([
    ["/srv/app/", "app"],
    ["/", "repo"],
    ["..", "repo"],
    [".", "repo"],
    ["app", "app"],
  ])("[L-5] the trees of the repository %s are in the folder %s", (repo, name) => {
    const planned = planWorktree(profile({ repo, ...NONE }), OWNER);
    expect(planned).toMatchObject({ value: { cwd: `/trees/${name}/worker_9` } });
  });

  it("[L-5] a repository without a name is refused", () => {
    const error = "worker execution.worktree.repo must not be empty";
    expect(planWorktree(profile({ repo: "  ", ...NONE }), OWNER)).toEqual({ ok: false, error });
  });
});

const payload = (worktree: object) => {
  const read = readPayload({ type: "command", command: "x", run_id: "run_1", worktree });
  if (!read.ok) throw new Error(read.error);
  return read.value;
};

describe("where a runner works", () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "godwit-places-")));
  afterAll(() => rmSync(root, { recursive: true }));
  const places = { workdir: join(root, "work"), worktrees: join(root, "trees") };
  mkdirSync(places.workdir);
  symlinkSync(root, join(places.workdir, "out"));
  symlinkSync(places.worktrees, join(places.workdir, "trees"));

  it("[L-5] is its folder, that of its trees and what is below", () => {
    expect(pathWithin(places, ".")).toBe(places.workdir);
    expect(pathWithin(places, "a/b")).toBe(join(places.workdir, "a/b"));
    expect(pathWithin(places, "..b")).toBe(join(places.workdir, "..b"));
    expect(pathWithin(places, join(places.worktrees, "app"))).toBe(join(places.worktrees, "app"));
    expect(pathWithin(places, "c", join(places.worktrees, "app"))).toBe(join(places.worktrees, "app/c"));
    expect(pathWithin({ ...places, workdir: "/" }, "/etc")).toBe("/etc");
  });

  it.each(["..", "../other", "/etc", "a/../../b", "out", "out/other/x"])("[L-5] is never %s", (path) => {
    expect(pathWithin(places, path)).toBeNull();
  });

  it("[L-5] the tree of a job lies within, in the name of its run or worker", () => {
    expect(treeOf(payload({ repo: "app" }), places)).toEqual({
      ok: true,
      value: {
        repo: join(places.workdir, "app"),
        path: join(places.worktrees, "app/run_1"),
        branch: "harn-run_1",
        base_ref: "HEAD",
        cleanup: null,
      },
    });
    const planned = treeOf(payload({ repo: "app", path: ".harn/worktrees/app/worker_1" }), places);
    expect(planned).toMatchObject({ value: { path: join(places.worktrees, "app/worker_1") } });
    const named = treeOf(payload({ repo: "app", worker_id: "worker_2", cleanup: "remove" }), places);
    expect(named).toMatchObject({ value: { branch: "harn-worker_2", cleanup: "remove" } });
  });

  it.each([
    [{ repo: "/srv/app" }, 'the runner does not work in the repository "/srv/app"'],
    [{ repo: "app", path: "/srv/tree" }, 'the runner does not work in the working tree "/srv/tree"'],
    [{ repo: "app", path: ".harn/worktrees/../../x" }, "the runner does not work in the working tree"],
    [{ repo: "app", worker_id: "../../../x" }, "the runner does not work in the working tree"],
    [{ repo: "app", base_ref: "--force" }, 'worker worktree add failed: "--force" is no name'],
    [{ repo: "app", branch: "-x" }, 'worker worktree add failed: "-x" is no name'],
    [{ repo: " " }, "worker execution.worktree.repo must not be empty"],
  ])("[L-5] %j is refused", (worktree, text) => {
    const tree = treeOf(payload(worktree), places);
    expect(tree).toMatchObject({ ok: false });
    expect(tree.ok ? "" : tree.error).toContain(text);
  });
});

describe("the payload of a command's job", () => {
  it("[L-22.5] is read with what it says, and nothing for what it does not", () => {
    expect(readPayload({ type: "command", command: "make" })).toEqual({
      ok: true,
      value: {
        command: "make",
        cwd: null,
        env: {},
        worktree: null,
        worker_id: "job",
        timeout_ms: 0,
        max_output_bytes: null,
        run_id: "",
        stage_id: "",
        node_id: "",
      },
    });
    const full = { cwd: "a", env: { A: "1", B: 2 }, timeout_ms: 5, max_output_bytes: 9, run_id: "r" };
    expect(readPayload({ type: "command", command: "make", ...full })).toMatchObject({
      value: { cwd: "a", env: { A: "1" }, timeout_ms: 5, max_output_bytes: 9, run_id: "r", worker_id: "r" },
    });
  });

  it.each([null, 5, [], {}, { type: "event" }, { type: "command" }, { type: "command", command: " " }])(
    "[L-22.5] %j is none",
    (payload) => {
      expect(readPayload(payload).ok).toBe(false);
    },
  );
});
