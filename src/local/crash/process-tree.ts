import { execFileSync } from "node:child_process";

/** A process and who started it. */
interface Listed {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

const listProcesses = (): readonly Listed[] =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,comm="], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => {
      const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
      return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command: command ?? "" }];
    });

/** All processes that this one has started, and those that they have started. */
export const descendantsOf = (pid: number): readonly Listed[] => {
  const all = listProcesses();
  const found: Listed[] = [];
  let parents = new Set([pid]);
  while (parents.size > 0) {
    const children = all.filter(({ parent }) => parents.has(parent));
    found.push(...children);
    parents = new Set(children.map((child) => child.pid));
  }
  return found;
};

/** Whether a process is still there. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Ends processes at once, without asking them; one that is gone already is what was wanted. */
export const killAll = (pids: readonly number[]): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It is gone.
    }
  }
};
