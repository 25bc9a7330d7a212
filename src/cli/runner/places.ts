import { realpathSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";

/** The folders that a runner works in; absolute. */
export interface Places {
  readonly workdir: string;
  readonly worktrees: string;
}

/** Where a path really is, also one that does not exist yet. */
const realOf = (path: string): string => {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realOf(parent), basename(path));
  }
};

const isWithin = (root: string, path: string): boolean => {
  const way = relative(realOf(root), realOf(path));
  return way === "" || (way !== ".." && !way.startsWith("../"));
};

/** The path as an absolute one, or null where it leads out of the folders of the runner, also by a link. */
export const pathWithin = (places: Places, path: string, base: string = places.workdir): string | null => {
  const whole = resolve(base, path);
  return isWithin(places.workdir, whole) || isWithin(places.worktrees, whole) ? whole : null;
};

/** Whether there is such a folder. */
export const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
