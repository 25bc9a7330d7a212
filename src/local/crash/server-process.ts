import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type Api, openApi } from "../api.ts";
import { descendantsOf, isAlive, killAll } from "./process-tree.ts";

const ROOT = join(import.meta.dirname, "../../..");

/** One for all servers, so that none is written into the project. */
const MASTER_KEY = btoa("m".repeat(32));
const START = join(ROOT, "src/local/start.ts");

/** How long a server may take to be ready. */
const READY_MS = 30_000;

/** What a server process is started with. */
export interface ServerOptions {
  readonly state: string;
  readonly port: number;
  readonly key: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** Which part of a server is ended. */
export type Victim =
  /** The process and all it has started. */
  | "tree"
  /** The process alone, as by `kill -9`. */
  | "server"
  /** The runtime alone, as by a crash of it. */
  | "runtime";

/** A server in a process of its own. */
export interface ServerProcess {
  readonly pid: number;
  readonly api: Api;
  /** When the process was started and when it said that it serves, in milliseconds. */
  readonly spawned_at_ms: number;
  readonly ready_at_ms: number;
  /** How many objects of the last process it told to go on. */
  readonly recovered: number;
  /** What it logged. */
  readonly lines: readonly string[];
  /** Ends a part of it with SIGKILL and waits until that is gone. */
  readonly kill: (victim: Victim) => Promise<void>;
  readonly stop: () => Promise<void>;
}

const awaitGone = async (pids: readonly number[]): Promise<void> => {
  for (let i = 0; pids.some((pid) => isAlive(pid)); i += 1) {
    if (i > 500) throw new Error(`processes ${pids.join(", ")} do not end`);
    await sleep(10);
  }
};

const victims = (pid: number, victim: Victim): readonly number[] => {
  const children = descendantsOf(pid);
  // The parent first, so that it cannot put right what happens to its children.
  if (victim === "tree") return [pid, ...children.map((child) => child.pid)];
  return victim === "server"
    ? [pid]
    : children.filter(({ command }) => command.includes("workerd")).map((it) => it.pid);
};

const awaitReady = async (child: ChildProcess, lines: string[]): Promise<Readonly<Record<string, unknown>>> => {
  const output = createInterface({ input: child.stdout ?? process.stdin });
  const timer = setTimeout(() => child.kill("SIGKILL"), READY_MS);
  try {
    return await new Promise((resolve, reject) => {
      output.on("line", (line) => {
        lines.push(line);
        if (!line.startsWith("{")) return;
        const told = JSON.parse(line) as Readonly<Record<string, unknown>>;
        if (told["message"] === "ready") resolve(told);
      });
      child.stderr?.on("data", (chunk) => lines.push(String(chunk).trim()));
      child.once("exit", (code, signal) =>
        reject(new Error(`the server ended (${code ?? signal ?? "?"}) before it was ready:\n${lines.join("\n")}`)),
      );
    });
  } finally {
    clearTimeout(timer);
  }
};

/** Starts a server as a process of its own, as `npm start` does, and waits until it serves. */
export const startProcess = async ({ state, port, key, variables }: ServerOptions): Promise<ServerProcess> => {
  const spawnedAt = Date.now();
  // Ours to end: a group of its own keeps the signals of the terminal away from it.
  const child = spawn(process.execPath, [START, "--json"], {
    cwd: ROOT,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      GODWIT_MASTER_KEY: MASTER_KEY,
      ...variables,
      GODWIT_STATE: state,
      PORT: String(port),
      GODWIT_ROOT_KEY: key,
    },
  });
  const lines: string[] = [];
  const ready = await awaitReady(child, lines);
  const pid = child.pid ?? 0;
  return {
    pid,
    api: openApi(String(ready["url"]), key),
    spawned_at_ms: spawnedAt,
    ready_at_ms: Date.now(),
    recovered: Number(ready["recovered"]),
    lines,
    kill: async (victim) => {
      const pids = victims(pid, victim);
      // The server alone takes its runtime with it, a moment later.
      const gone = victim === "runtime" ? pids : [pid, ...descendantsOf(pid).map((child) => child.pid)];
      killAll(pids);
      await awaitGone(gone);
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, "exit");
      child.kill("SIGTERM");
      await exit;
    },
  };
};
