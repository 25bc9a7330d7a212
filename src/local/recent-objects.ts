import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Which objects to look for. */
export interface RecentQuery {
  /** The folder of all state. */
  readonly state: string;
  readonly worker: string;
  readonly className: string;
  readonly limit: number;
}

/**
 * What an object told the lists in its last seconds may have been in a queue, and the runtime's queues end with it. The
 * longest waits a second for its batch; the rest is for a busy machine.
 */
const WINDOW_MS = 5_000;

/** The write-ahead log of an object: there while the object is live, and left behind when its process is killed. */
const LIVE = /^([0-9a-f]{64})\.sqlite-wal$/;

/** The objects of a class that were written to in the last five seconds of the process that had them, the latest first. */
export const recentObjects = ({ state, worker, className, limit }: RecentQuery): readonly string[] => {
  const directory = join(state, "v3/do", `${worker}-${className}`);
  if (!existsSync(directory)) return [];
  const live = readdirSync(directory).flatMap((name) => {
    const id = LIVE.exec(name)?.[1];
    const at = statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs;
    return id === undefined || at === undefined ? [] : [{ id, at }];
  });
  const latest = Math.max(...live.map(({ at }) => at));
  return live
    .filter(({ at }) => at >= latest - WINDOW_MS)
    .toSorted((a, b) => b.at - a.at)
    .slice(0, limit)
    .map(({ id }) => id);
};
