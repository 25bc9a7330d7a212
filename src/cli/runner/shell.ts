import { type ChildProcess, spawn } from "node:child_process";
import { pause } from "../pause.ts";
import { type KeptOutput, OutputKeeper } from "./output.ts";

/** A command for the shell of this machine. */
export interface ShellRequest {
  readonly command: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** 0 for no bound. */
  readonly timeout_ms: number;
  /** Between SIGTERM and SIGKILL for a command that took too long. */
  readonly kill_after_ms: number;
  /** Of each stream. */
  readonly max_output_bytes: number;
  /** Ends the command at once. */
  readonly signal: AbortSignal;
}

/** How a command ended. */
export interface ShellEnd {
  /** null when a signal ended it. */
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly timed_out: boolean;
  readonly stdout: KeptOutput;
  readonly stderr: KeptOutput;
}

// The command has a process group of its own, and in it a guard that reads from the runner: when the runner closes that
// pipe, or dies, the guard ends the whole group. It is nobody's child, so that a command that waits for its children does
// not wait for it.
const GUARD = `( ( trap '' TERM INT HUP; read -r _ <&3; kill -KILL 0 ) >/dev/null 2>&1 & )
exec 3<&-
exec /bin/sh -c "$1"`;

/** How long what a command left behind may still write, and how long its output may stay open after that. */
const DRAIN_MS = 500;
const CLOSE_MS = 2_000;

const signalGroup = (child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void => {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone.
  }
};

const keeperOf = (stream: NodeJS.ReadableStream | null, limit: number): OutputKeeper => {
  const keeper = new OutputKeeper(limit);
  stream?.on("data", (chunk: Buffer) => keeper.push(chunk));
  return keeper;
};

interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

const exitOf = (child: ChildProcess): Promise<Exit> =>
  new Promise((exited, failed) => {
    child.once("error", failed);
    child.once("exit", (code, signal) => exited({ code, signal }));
  });

const closeOf = (stream: NodeJS.EventEmitter | null): Promise<unknown> =>
  new Promise((closed) => {
    if (stream === null) closed(null);
    else stream.once("close", closed);
  });

const within = async (ms: number, task: Promise<unknown>): Promise<void> => {
  const over = new AbortController();
  await Promise.race([task, pause(ms, over.signal)]);
  over.abort();
};

/** Waits until a command has ended and nothing of it is left; whatever it leaves behind is ended. */
const awaitEnd = async (child: ChildProcess): Promise<Exit> => {
  const { stdout, stderr } = child;
  const guard = child.stdio[3];
  guard?.on("error", () => undefined);
  const drained = Promise.all([closeOf(stdout), closeOf(stderr)]);
  const exit = await exitOf(child);
  await within(DRAIN_MS, drained);
  signalGroup(child, "SIGKILL");
  guard?.destroy();
  await within(CLOSE_MS, drained);
  stdout?.destroy();
  stderr?.destroy();
  return exit;
};

/** Executes a command with `/bin/sh -c`, its input closed. Throws when it cannot be started. */
export const runShell = async (request: ShellRequest): Promise<ShellEnd> => {
  const child = spawn("/bin/sh", ["-c", GUARD, "godwit", request.command], {
    cwd: request.cwd,
    env: request.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const [out, error] = [child.stdout, child.stderr].map((stream) => keeperOf(stream, request.max_output_bytes));
  const end = awaitEnd(child);
  const kill = (): void => signalGroup(child, "SIGKILL");
  if (request.signal.aborted) kill();
  request.signal.addEventListener("abort", kill, { once: true });
  let timedOut = false;
  let later: NodeJS.Timeout | undefined;
  const onTimeout = (): void => {
    timedOut = true;
    signalGroup(child, "SIGTERM");
    later = setTimeout(kill, request.kill_after_ms);
  };
  const timer = request.timeout_ms > 0 ? setTimeout(onTimeout, request.timeout_ms) : undefined;
  child.once("exit", () => clearTimeout(timer));
  try {
    const { code, signal } = await end;
    const kept = { stdout: (out as OutputKeeper).kept(), stderr: (error as OutputKeeper).kept() };
    return { exit_code: code, signal, timed_out: timedOut, ...kept };
  } finally {
    clearTimeout(timer);
    clearTimeout(later);
    request.signal.removeEventListener("abort", kill);
  }
};
