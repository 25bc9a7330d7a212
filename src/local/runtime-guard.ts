import { type ChildProcess, spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { basename } from "node:path";

/** Ends the runtime when this process ends without having been able to do so. */
export interface RuntimeGuard {
  readonly release: () => void;
}

const CHANNEL = "child_process";

/** Remembers the last line and ends the processes it names once its input ends; signals of the terminal pass it by. */
const SCRIPT = `trap '' INT TERM HUP; while read -r line; do pids=$line; done; [ -z "$pids" ] || kill -9 $pids`;

const isRuntime = (child: ChildProcess): boolean => basename(child.spawnfile ?? "").startsWith("workerd");

/**
 * Watches for the runtime's processes from now on. A SIGKILL of this process would leave the runtime behind: it would
 * keep the port, and go on to drive runs beside the next server. A shell that waits for the end of a pipe prevents it.
 */
export const guardRuntime = (): RuntimeGuard => {
  if (process.platform === "win32") return { release: () => undefined };
  const guard = spawn("sh", ["-c", SCRIPT], { stdio: ["pipe", "ignore", "ignore"] });
  guard.unref();
  guard.on("error", () => undefined);
  guard.stdin.on("error", () => undefined);
  const pids = new Set<number>();
  const tell = (): void => void guard.stdin.write(`${[...pids].join(" ")}\n`);
  const onChild = (message: unknown): void => {
    const { process: child } = message as { readonly process: ChildProcess };
    // The channel tells of a child before its pid is known.
    child.once("spawn", () => {
      if (!isRuntime(child) || child.pid === undefined) return;
      const { pid } = child;
      pids.add(pid);
      tell();
      child.once("exit", () => {
        pids.delete(pid);
        tell();
      });
    });
  };
  subscribe(CHANNEL, onChild);
  return {
    release: () => {
      unsubscribe(CHANNEL, onChild);
      pids.clear();
      tell();
      guard.stdin.end();
    },
  };
};
