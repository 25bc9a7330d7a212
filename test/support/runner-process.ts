import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const BIN = join(import.meta.dirname, "../../src/cli/bin.js");

/** How long a test waits for anything. */
const PATIENCE_MS = 30_000;

/** A line of a runner's log. */
export type RunnerLine = Readonly<Record<string, unknown>> & { readonly message: string };

/** A runner in a process of its own. */
export interface RunnerProcess {
  readonly pid: number;
  readonly lines: readonly string[];
  readonly signal: (signal: NodeJS.Signals) => void;
  /** The next line with this message, also one that was there before. */
  readonly line: (message: string) => Promise<RunnerLine>;
  /** Its exit status, or the signal that ended it. */
  readonly end: Promise<number | NodeJS.Signals | null>;
}

/** Asks until there is an answer; after half a minute it is given up. */
export const eventually = async <Value>(
  what: string,
  ask: () => Value | Promise<Value>,
): Promise<NonNullable<Value>> => {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer as NonNullable<Value>;
    if (Date.now() > until) throw new Error(`there is still not: ${what}`);
    await sleep(20);
  }
};

const endOf = async (child: ChildProcess): Promise<number | NodeJS.Signals | null> => {
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return signal ?? code;
};

const parsed = (line: string): RunnerLine | null => (line.startsWith("{") ? (JSON.parse(line) as RunnerLine) : null);

/** Starts `godwit runner --json` with more arguments, its key in the environment. */
export const startRunner = (args: readonly string[], key: string): RunnerProcess => {
  const child = spawn(process.execPath, [BIN, "runner", "--json", ...args], {
    env: { ...process.env, GODWIT_KEY: key },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", (line) => lines.push(line));
  return {
    pid: child.pid ?? 0,
    lines,
    signal: (signal) => void child.kill(signal),
    line: (message) =>
      eventually(`"${message}" among ${lines.join("\n")}`, () =>
        lines.map(parsed).find((line) => line?.message === message),
      ),
    end: endOf(child),
  };
};
