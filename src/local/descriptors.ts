import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** Files that a live Durable Object keeps open: its database with write-ahead log and shared memory. */
const FILES_PER_OBJECT = 3;

/** What the server itself needs beside its objects. */
const RESERVE = 200;

/** Below this many live objects a busy server would run out. */
export const FEW_OBJECTS = 1_000;

const limitInProc = (text: string): number | null => {
  const soft = /^Max open files\s+(\S+)/m.exec(text)?.[1];
  if (soft === undefined) return null;
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
};

const limitOfShell = (): number | null => {
  try {
    const text = execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).trim();
    return text === "unlimited" ? Number.POSITIVE_INFINITY : Number(text);
  } catch {
    return null;
  }
};

/**
 * How many objects can be live at once, or null when that cannot be known. Node has raised its limit of open files to
 * the hard limit when it started, and the runtime inherits it.
 */
export const liveObjectLimit = (): number | null => {
  const limit = existsSync("/proc/self/limits")
    ? limitInProc(readFileSync("/proc/self/limits", "utf8"))
    : limitOfShell();
  if (limit === null || Number.isNaN(limit)) return null;
  return limit === Number.POSITIVE_INFINITY ? limit : Math.max(0, Math.floor((limit - RESERVE) / FILES_PER_OBJECT));
};
