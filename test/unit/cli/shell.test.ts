import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { runShell, type ShellEnd, type ShellRequest } from "../../../src/cli/runner/shell.ts";
import { isAlive } from "../../../src/local/crash/process-tree.ts";
import { eventually } from "../../support/runner-process.ts";

const run = (command: string, more: Partial<ShellRequest> = {}): Promise<ShellEnd> =>
  runShell({
    command,
    cwd: tmpdir(),
    env: { PATH: process.env["PATH"] ?? "", A: "1" },
    timeout_ms: 0,
    kill_after_ms: 100,
    max_output_bytes: 1_000,
    signal: new AbortController().signal,
    ...more,
  });

const outOf = ({ stdout }: ShellEnd): string => Buffer.concat([stdout.head, stdout.tail]).toString("utf8");

describe("a command of a job", () => {
  it("[W-7.1] runs in its folder and environment, with nothing to read", async () => {
    const end = await run('cat; pwd; echo "$A $0 [$1] [$GODWIT_KEY]"; echo wrong >&2; exit 7');
    expect(end).toMatchObject({ exit_code: 7, signal: null, timed_out: false });
    expect(outOf(end)).toBe(`${tmpdir()}\n1 /bin/sh [] []\n`);
    expect(end.stderr.total).toBe(6);
  });

  it("[L-5] leaves nothing open to what it starts", async () => {
    expect(
      outOf(await run("ls /dev/fd | sort -n | head -3 | tr '\\n' ' '; (: <&3) 2>/dev/null || echo closed")),
    ).toContain("closed");
  });

  it("[L-5] says which signal ended it", async () => {
    expect(await run("kill -SEGV $$")).toMatchObject({ exit_code: null, signal: "SIGSEGV", timed_out: false });
  });

  it("[L-5] one that does not want to end is killed", async () => {
    const end = await run("trap '' TERM; echo $$; while :; do sleep 0.05; done", { timeout_ms: 100 });
    expect(end).toMatchObject({ exit_code: null, signal: "SIGKILL", timed_out: true });
    expect(isAlive(Number(outOf(end)))).toBe(false);
  });

  it("[L-5] one that took too long may say so before it ends", async () => {
    const end = await run("trap 'echo bye; exit 0' TERM; while :; do sleep 0.02; done", {
      timeout_ms: 200,
      kill_after_ms: 20_000,
    });
    expect(end).toMatchObject({ exit_code: 0, timed_out: true });
    expect(outOf(end)).toBe("bye\n");
  });

  it("[L-5] a signal ends it at once, also one that was there before", async () => {
    const controller = new AbortController();
    const running = run("sleep 1000", { signal: controller.signal });
    controller.abort();
    expect(await running).toMatchObject({ signal: "SIGKILL", timed_out: false });
    expect(await run("sleep 1000", { signal: AbortSignal.abort() })).toMatchObject({ signal: "SIGKILL" });
  });

  it("[L-5] what it leaves behind is ended", async () => {
    const end = await run("sleep 1000 & echo $!");
    expect(end).toMatchObject({ exit_code: 0 });
    await eventually("the end of it", () => !isAlive(Number(outOf(end))));
  });

  it("[L-5] what has left its group does not keep it from ending", async () => {
    const end = await run(`"${process.execPath}" -e '
      const { spawn } = require("node:child_process");
      const child = spawn("sleep", ["1000"], { detached: true, stdio: "inherit" });
      console.log(child.pid);
      child.unref();'`);
    const pid = Number(outOf(end));
    expect(end).toMatchObject({ exit_code: 0 });
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, "SIGKILL");
  });

  it("[L-5] cannot be started in a folder that is not there", async () => {
    await expect(run("true", { cwd: "/nowhere/at/all" })).rejects.toThrow("ENOENT");
  });
});
