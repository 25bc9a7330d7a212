import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { dispatch } from "../../../src/cli/dispatch.ts";
import { inheritedEnvironment } from "../../../src/cli/environment.ts";
import { createLog } from "../../../src/cli/log.ts";
import { CliProblem, reasonOf } from "../../../src/cli/problem.ts";
import { backoff } from "../../../src/cli/pause.ts";
import { runnerCommand } from "../../../src/cli/runner/command.ts";
import { readOptions } from "../../../src/cli/runner/options.ts";

const folder = mkdtempSync(join(tmpdir(), "godwit-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

const KEY = { GODWIT_KEY: "gw_1" };
const NEEDED = ["--queue", "q", "--allow-any"];

const read = (args: readonly string[], environment: Readonly<Record<string, string>> = KEY) =>
  readOptions(args, folder, environment);

/** The key that a file with this text holds. */
const keyFrom = (text: string): string => {
  writeFileSync(join(folder, "key"), text);
  return read([...NEEDED, "--key-file", "key"], {})?.key ?? "";
};

describe("the command line of a runner", () => {
  it("[L-5] has defaults for all but the queue, the key and what it allows", () => {
    expect(read(NEEDED)).toEqual({
      queue: "q",
      url: "http://127.0.0.1:8787",
      key: "gw_1",
      tenant: null,
      allowed: { any: true, commands: [], variables: [] },
      places: { workdir: folder, worktrees: `${folder}/.harn/worktrees` },
      pass_env: [],
      concurrency: 1,
      max_output_bytes: 65_536,
      ttl_ms: 60_000,
      grace_ms: 60_000,
      once: false,
      name: null,
      json: false,
    });
  });

  it("[L-5] takes every option", () => {
    const given = "--queue q --url https://x.example --tenant t --key k --allow a --allow b --allow-env E --pass-env P";
    const more = "--workdir . --worktrees trees --concurrency 4 --max-output 512 --ttl 5 --grace 500ms --once --json";
    expect(read([...given.split(" "), ...more.split(" "), "--name", "n"])).toEqual({
      queue: "q",
      url: "https://x.example",
      key: "k",
      tenant: "t",
      allowed: { any: false, commands: ["a", "b"], variables: ["E"] },
      places: { workdir: folder, worktrees: join(folder, "trees") },
      pass_env: ["P"],
      concurrency: 4,
      max_output_bytes: 512,
      ttl_ms: 5_000,
      grace_ms: 500,
      once: true,
      name: "n",
      json: true,
    });
    expect(read(["--help"])).toBeNull();
  });

  it("[L-5] takes address and trees from the environment where the command line does not say", () => {
    const environment = { ...KEY, GODWIT_URL: "http://e.example", GODWIT_WORKTREE_DIR: "/trees" };
    expect(read(NEEDED, environment)).toMatchObject({ url: "http://e.example", places: { worktrees: "/trees" } });
  });

  it.each([
    [["--allow-any"], "Name the work queue"],
    [["--queue", " ", "--allow-any"], "Name the work queue"],
    [["--queue", "q"], "Say what may be executed"],
    [["--queue", "q", "--allow", " "], "Say what may be executed"],
    [[...NEEDED, "--allow", "a"], "leave --allow out"],
    [[...NEEDED, "--url", "ftp://x"], "--url is"],
    [[...NEEDED, "--url", "nowhere"], "--url is"],
    [[...NEEDED, "--concurrency", "0"], "--concurrency is"],
    [[...NEEDED, "--concurrency", "1.5"], "--concurrency is"],
    [[...NEEDED, "--max-output", "12"], "--max-output is"],
    [[...NEEDED, "--ttl", "10ms"], "--ttl is"],
    [[...NEEDED, "--grace", "soon"], "--grace is"],
    [[...NEEDED, "--workdir", "missing"], "there is no such folder"],
    [[...NEEDED, "--verbose"], "--verbose"],
    [[...NEEDED, "more"], "more"],
  ])("[L-5] %j is refused with status 2", (args, text) => {
    const thrown = caught(() => read(args));
    expect(thrown).toMatchObject({ status: 2 });
    expect(reasonOf(thrown)).toContain(text);
  });

  it("[L-5] a key comes from a file with it alone, or with a line that names it", () => {
    expect(keyFrom("gw_2\n")).toBe("gw_2");
    expect(keyFrom('A=1\nGODWIT_ROOT_KEY="gwroot_3"\n')).toBe("gwroot_3");
    expect(keyFrom("GODWIT_ROOT_KEY=gwroot_3\nGODWIT_KEY=gw_4\n")).toBe("gw_4");
    expect(() => keyFrom("two words")).toThrow("holds no key");
    expect(() => keyFrom("")).toThrow("holds no key");
    expect(() => read([...NEEDED, "--key-file", "gone"], {})).toThrow("The key file cannot be read");
    expect(() => read(NEEDED, {})).toThrow("set GODWIT_KEY");
  });
});

const caught = (task: () => unknown): unknown => {
  try {
    task();
  } catch (thrown) {
    return thrown;
  }
  return null;
};

const call = async (args: readonly string[]) => {
  const lines: { out: string[]; err: string[] } = { out: [], err: [] };
  const out = (line: string) => void lines.out.push(line);
  const err = (line: string) => void lines.err.push(line);
  const status = await dispatch([runnerCommand], args, { environment: {}, folder, out, err });
  return { status, out: lines.out.join("\n"), err: lines.err.join("\n") };
};

const failing = (thrown: Error) => ({ ...runnerCommand, run: () => Promise.reject(thrown) });

describe("godwit", () => {
  it("[cli] tells its commands, and what it was not asked for on the other stream with status 2", async () => {
    expect(await call(["--help"])).toMatchObject({ status: 0, err: "" });
    expect((await call(["--help"])).out).toContain("runner  execute the commands of a work queue");
    expect(await call([])).toMatchObject({ status: 2, out: "" });
    const unknown = await call(["fly"]);
    expect(unknown).toMatchObject({ status: 2, out: "" });
    expect(unknown.err).toMatch(/^godwit has no command "fly"\.\n\ngodwit COMMAND/);
  });

  it("[cli] a command helps and says what is wrong with its command line", async () => {
    const help = await call(["runner", "--help"]);
    expect(help).toMatchObject({ status: 0, err: "" });
    for (const option of ["--queue", "--allow-env", "--grace", "--once", "--key-file"])
      expect(help.out).toContain(option);
    const wrong = await call(["runner", "--queue", "q"]);
    expect(wrong).toMatchObject({ status: 2, out: "" });
    expect(wrong.err).toContain("godwit runner --help tells more.");
  });

  it("[cli] what goes wrong later has status 1, and a defect is thrown as it is", async () => {
    const err: string[] = [];
    const terminal = { environment: {}, folder, out: () => undefined, err: (line: string) => void err.push(line) };
    expect(await dispatch([failing(new CliProblem("no"))], ["runner"], terminal)).toBe(1);
    expect(err).toEqual(["no"]);
    await expect(dispatch([failing(new Error("defect"))], ["runner"], terminal)).rejects.toThrow("defect");
  });
});

describe("what a command of a job inherits", () => {
  it("[L-5] is little, and never the key", () => {
    const own = {
      PATH: "/bin",
      HOME: "/h",
      LC_ALL: "C",
      GODWIT_KEY: "gw_1",
      AWS_SECRET: "s",
      TOKEN: "t",
      TWO: "x gw_1",
    };
    expect(inheritedEnvironment(own, [], "gw_1")).toEqual({ PATH: "/bin", HOME: "/h", LC_ALL: "C" });
    const passed = ["TOKEN", "GODWIT_KEY", "TWO", "GONE"];
    expect(inheritedEnvironment(own, passed, "gw_1")).toEqual({ PATH: "/bin", HOME: "/h", LC_ALL: "C", TOKEN: "t" });
  });
});

const now = () => new Date("2026-01-02T03:04:05Z");
const hide = (text: string) => text.replaceAll("gw_1", "[hidden]");

describe("the log of a command", () => {
  it("[cli] is a line for each message, without secrets and without what terminals act upon", () => {
    const lines: string[] = [];
    const out = (line: string) => void lines.push(line);
    createLog({ json: false, out, hide, now })("info", "a\nb gw_1", { key: "\u001B[31mgw_1\r\nx", n: 1 });
    createLog({ json: true, out, hide, now })("warn", "gw_1", { n: 1 });
    expect(lines[0]).toMatch(/^\d\d:\d\d:05 info {2}a \| b \[hidden\] {2}key=\[hidden\] \| x {2}n=1$/);
    expect(JSON.parse(lines[1] ?? "")).toEqual({
      at: "2026-01-02T03:04:05.000Z",
      level: "warn",
      message: "[hidden]",
      n: 1,
    });
  });
});

describe("the pause between two tries", () => {
  it("[cli] doubles up to half a minute, and is never the same for all", () => {
    expect([1, 2, 3].map((attempt) => backoff(attempt, 0.5))).toEqual([250, 500, 1_000]);
    expect(backoff(1_000, 0.5)).toBe(30_000);
    expect([backoff(1, 0), backoff(1, 1)]).toEqual([125, 375]);
  });
});
