import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isAlive } from "../../src/local/crash/process-tree.ts";
import { type ServerProcess, startProcess } from "../../src/local/crash/server-process.ts";
import { freePort } from "../../src/local/port.ts";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import { eventually, type RunnerProcess, startRunner } from "../support/runner-process.ts";

const KEY = "gwroot_of_a_test_of_the_runner";
let state: string;
let server: ServerProcess;
let folder: string;
let queue: string;
let queues = 0;
let runners: RunnerProcess[];

beforeAll(async () => {
  state = mkdtempSync(join(tmpdir(), "godwit-runner-state-"));
  server = await startProcess({ state, port: await freePort("127.0.0.1"), key: KEY, variables: {} });
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(state, { recursive: true, force: true, maxRetries: 5 });
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "godwit-runner-"));
  queue = `builders-${(queues += 1)}`;
  runners = [];
});
afterEach(async () => {
  for (const runner of runners) runner.signal("SIGKILL");
  await Promise.all(runners.map(({ end }) => end));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const runnerOf = (...more: readonly string[]): RunnerProcess => {
  const args = ["--queue", queue, "--url", server.api.url, "--workdir", folder, ...more];
  const runner = startRunner(args, KEY);
  runners.push(runner);
  return runner;
};

const anyRunner = (...more: readonly string[]): RunnerProcess => runnerOf("--allow-any", ...more);

/** A run that verifies with a command, and waits for a person where that fails. */
const verify = async (command: string, more: JsonObject = {}, options: JsonObject = {}): Promise<string> => {
  const { timeout_ms, ...check } = more;
  const node = {
    kind: "verify",
    verify: { command, queue, ...check },
    ...(timeout_ms === undefined ? {} : { timeout_ms }),
  };
  const bad = { kind: "stage", mode: "function", function: "echo", input: "bad" };
  const graph = {
    entry: "check",
    nodes: { check: node, good: { ...bad, input: "good" }, bad },
    edges: [
      { from: "check", to: "good", branch: "passed" },
      { from: "check", to: "bad", branch: "failed" },
      { from: "check", to: "bad", branch: "error" },
    ],
  };
  return (await server.api.client.createRun({ graph: graph as unknown as Json, task: "test", options })).run_id;
};

interface Ended {
  readonly nodes: readonly string[];
  readonly check: { readonly branch: string; readonly metadata: JsonObject; readonly verification: JsonObject };
  readonly result: JsonObject;
}

/** How a run ended, and what its command's job answered. */
const ended = async (run: string): Promise<Ended> => {
  const view = await eventually(`the end of ${run}`, async () => {
    const found = (await server.api.client.getRun(run)) as unknown as JsonObject;
    return found["status"] === "completed" ? found : null;
  });
  const stages = view["stages"] as unknown as readonly (Ended["check"] & { readonly node_id: string })[];
  const { jobs } = await server.api.client.queues.get(queue);
  const job = jobs.find((one) => one.run_id === run);
  const check = stages.find((stage) => stage.node_id === "check") as Ended["check"];
  return { nodes: stages.map((stage) => stage.node_id), check, result: (job?.result ?? {}) as JsonObject };
};

/** A process id that a command wrote down; null until it is there. */
const pidIn = (name: string): number | null => {
  const file = join(folder, name);
  return existsSync(file) && readFileSync(file, "utf8").endsWith("\n") ? Number(readFileSync(file, "utf8")) : null;
};

const git = (cwd: string, ...args: readonly string[]): string =>
  execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

const makeRepository = (): string => {
  const repo = join(folder, "app");
  mkdirSync(repo);
  git(repo, "init", "--quiet", "--initial-branch", "main");
  writeFileSync(join(repo, "greeting.txt"), "hello from main\n");
  git(repo, "add", ".");
  git(repo, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "first");
  return repo;
};

/** A command that makes one file and then waits for another. */
const waitingFor = (file: string, made: string): string => `touch ${made}; until [ -e ${file} ]; do sleep 0.05; done`;

describe("godwit runner", () => {
  it("[L-5] a command's result decides, and its environment has no key", async () => {
    runnerOf("--allow", "echo *", "--allow", "pwd; env", "--allow-env", "CI");
    const run = await verify("pwd; env", { env: { CI: "yes" } });
    const { nodes, result } = await ended(run);
    expect(nodes).toEqual(["check", "good"]);
    expect(result).toMatchObject({ exit_status: 0, success: true, stderr: "", signal: null, timed_out: false });
    expect(result["stdout"]).toContain(`${folder}\n`);
    expect(result["stdout"]).toContain("CI=yes");
    expect(result["stdout"]).toContain(`GODWIT_RUN_ID=${run}`);
    expect(result["stdout"]).not.toContain("GODWIT_KEY");
  });

  it("[L-5] the key is in no result and in no line of the log", async () => {
    writeFileSync(join(folder, "key"), `${KEY}\n`);
    const runner = anyRunner();
    const { result } = await ended(await verify("cat key; cat key >&2"));
    expect(result).toMatchObject({ stdout: "[hidden]\n", stderr: "[hidden]\n" });
    await runner.line("job done");
    expect(runner.lines.join("\n")).not.toContain(KEY);
  });

  it("[W-7.1] a command that exits non-zero fails the verification", async () => {
    anyRunner();
    const { nodes, check, result } = await ended(await verify("echo broken >&2; exit 3"));
    expect(nodes).toEqual(["check", "bad"]);
    expect(check).toMatchObject({ branch: "failed", verification: { ok: false } });
    expect(result).toMatchObject({ exit_status: 3, success: false, stderr: "broken\n" });
  });

  it("[L-5] a command that takes too long is ended with all that it started", async () => {
    anyRunner();
    const { nodes, result } = await ended(
      await verify("sleep 1000 & echo $! >child; echo started; wait", { timeout_ms: 500 }),
    );
    expect(nodes).toEqual(["check", "bad"]);
    expect(result).toMatchObject({ exit_status: -1, success: false, timed_out: true, stdout: "started\n" });
    expect(result["stderr"]).toContain("it took longer than 500 ms");
    const child = pidIn("child") ?? 0;
    expect(child).toBeGreaterThan(1);
    await eventually("the end of what the command started", () => !isAlive(child));
  });

  it("[L-5] of a long output the beginning and the end are kept", async () => {
    anyRunner("--max-output", "1000");
    const { result } = await ended(await verify("seq 1 100000"));
    const text = String(result["stdout"]);
    expect(text.startsWith("1\n2\n3\n")).toBe(true);
    expect(text.endsWith("99999\n100000\n")).toBe(true);
    expect(text).toContain(`[${588_895 - 1_000} bytes left out]`);
    expect(result).toMatchObject({ stdout_bytes: 588_895, exit_status: 0 });
  });

  it("[L-5] what no pattern allows fails for good and says so", async () => {
    const runner = runnerOf("--allow", "npm *");
    const { nodes, check } = await ended(await verify("npm test; touch owned"));
    expect(nodes).toEqual(["check", "bad"]);
    expect(check.branch).toBe("error");
    expect(check.metadata["error"]).toContain('the runner does not allow the command "npm test; touch owned"');
    expect(existsSync(join(folder, "owned"))).toBe(false);
    await runner.line("job not done");
  });

  it("[L-22.5] executes several jobs at a time where it is told to", async () => {
    anyRunner("--concurrency", "2");
    // Each waits for the other: one after the other they would not come to an end.
    const runs = [await verify(waitingFor("b", "a")), await verify(waitingFor("a", "b"))];
    for (const run of runs) expect((await ended(run)).nodes).toEqual(["check", "good"]);
  });

  it("[L-5] a run's working tree is made of its repository, used and removed", async () => {
    const repo = makeRepository();
    anyRunner();
    const execution = { adapter: "worktree", repo_path: repo, cleanup: "remove", env: { WHO: "me" } };
    const command = "cat greeting.txt; git branch --show-current; echo $WHO; pwd";
    const run = await verify(command, {}, { execution });
    const { nodes, result } = await ended(run);
    const tree = join(folder, ".harn/worktrees/app", run);
    expect(nodes).toEqual(["check", "good"]);
    expect(result["stdout"]).toBe(`hello from main\nharn-${run}\nme\n${tree}\n`);
    await eventually("the removal of the tree", () => !existsSync(tree));
    expect(git(repo, "branch", "--list", `harn-${run}`)).toContain(run);
  });

  it("[L-5] a tree that exists is used as it is, and one that git refuses fails the stage", async () => {
    const repo = makeRepository();
    anyRunner();
    const kept = join(folder, "kept");
    mkdirSync(kept);
    writeFileSync(join(kept, "here.txt"), "as it was\n");
    const known = await ended(await verify("cat here.txt", { worktree: { repo, path: kept } }));
    expect(known.result).toMatchObject({ stdout: "as it was\n" });
    const { check } = await ended(await verify("true", { worktree: { repo, base_ref: "nowhere" } }));
    expect(check.branch).toBe("error");
    expect(check.metadata["error"]).toMatch(/worker worktree add failed: .*fatal: /s);
    const blank = await ended(await verify("true", { worktree: { repo: " " } }));
    expect(blank.check.metadata["error"]).toContain("worker execution.worktree.repo must not be empty");
  });
});

describe("a runner that goes away", () => {
  it("[L-22.5] another runner completes the job of one that was killed, whose command has died with it", async () => {
    const first = anyRunner("--ttl", "2s");
    const run = await verify("if mkdir once; then echo $$ >pid; exec sleep 1000; fi; echo second");
    const pid = await eventually("the first delivery", () => pidIn("pid"));
    expect(isAlive(pid)).toBe(true);
    first.signal("SIGKILL");
    expect(await first.end).toBe("SIGKILL");
    await eventually("the end of the command", () => !isAlive(pid));
    anyRunner("--once", "--ttl", "2s");
    const { nodes, result } = await ended(run);
    expect(nodes).toEqual(["check", "good"]);
    expect(result).toMatchObject({ stdout: "second\n" });
  });

  it("[L-5] a signal lets the job that runs come to its end, and nothing more is claimed", async () => {
    const runner = anyRunner();
    const run = await verify(`${waitingFor("go", "started")}; echo finished`);
    await eventually("the start", () => existsSync(join(folder, "started")));
    runner.signal("SIGTERM");
    await runner.line("stopping");
    writeFileSync(join(folder, "go"), "");
    expect(await runner.end).toBe(0);
    expect((await ended(run)).result).toMatchObject({ stdout: "finished\n", exit_status: 0 });
  });

  it("[L-22.5] a server that is started again gets the answer of a command that was at work meanwhile", async () => {
    const runner = anyRunner("--ttl", "2s");
    const run = await verify(`${waitingFor("go", "started")}; echo finished`);
    await eventually("the start", () => existsSync(join(folder, "started")));
    const port = Number(new URL(server.api.url).port);
    await server.kill("tree");
    writeFileSync(join(folder, "go"), "");
    await runner.line("the server does not answer, trying on");
    server = await startProcess({ state, port, key: KEY, variables: {} });
    await runner.line("the server answers again");
    expect((await ended(run)).result).toMatchObject({ stdout: "finished\n", exit_status: 0 });
    const { jobs } = await server.api.client.queues.get(queue);
    expect(jobs).toMatchObject([{ status: "acked", deliveries: 1 }]);
  });

  it("[L-22.5] a second signal ends the job and gives it back untouched", async () => {
    const runner = anyRunner();
    const run = await verify("if mkdir once; then exec sleep 1000; fi; echo again");
    await eventually("the start", () => existsSync(join(folder, "once")));
    runner.signal("SIGTERM");
    await runner.line("stopping");
    runner.signal("SIGTERM");
    expect(await runner.end).toBe(0);
    await runner.line("job given back");
    const { jobs } = await server.api.client.queues.get(queue);
    expect(jobs).toMatchObject([{ status: "ready", deliveries: 0 }]);
    anyRunner("--once");
    expect((await ended(run)).result).toMatchObject({ stdout: "again\n" });
  });

  it("[L-22.5] an idle runner ends when it is told to, and leaves no claim behind", async () => {
    const runner = anyRunner("--ttl", "600s");
    await runner.line("claiming jobs");
    runner.signal("SIGINT");
    expect(await runner.end).toBe(0);
    anyRunner("--once");
    expect((await ended(await verify("echo hello"))).result).toMatchObject({ stdout: "hello\n" });
  });

  it("[L-22.5] when the claim is somebody else's the command is ended", async () => {
    const runner = anyRunner("--ttl", "1s");
    const run = await verify("echo $$ >pid; exec sleep 1000");
    const pid = await eventually("the start", () => pidIn("pid"));
    // A machine that sleeps for a while: the claim ends meanwhile, and somebody else takes the job.
    runner.signal("SIGSTOP");
    const { claim, job } = await eventually("the end of the claim", async () => {
      const taken = await server.api.client.queues.claim(queue, { consumer_id: "other", ttl_ms: 60_000 });
      return taken.job === null ? null : taken;
    });
    runner.signal("SIGCONT");
    await runner.line("the claim is lost: the command is ended");
    await eventually("the end of the command", () => !isAlive(pid));
    const result = { stdout: "by hand", stderr: "", exit_status: 0, success: true };
    await server.api.client.queues.ack(queue, job?.job_id ?? "", { claim_id: claim?.claim_id ?? "", result });
    expect((await ended(run)).nodes).toEqual(["check", "good"]);
  });

  it("[L-22.5] a key that is refused ends the runner with a reason, a server out of reach does not", async () => {
    const refused = startRunner(["--queue", queue, "--url", server.api.url, "--allow-any"], "gwroot_wrong");
    expect(await refused.end).toBe(1);
    expect(refused.lines.join("\n")).toContain("The server refuses to hand out jobs");
    const url = `http://127.0.0.1:${await freePort("127.0.0.1")}`;
    const patient = startRunner(["--queue", queue, "--url", url, "--allow-any"], KEY);
    runners.push(patient);
    await patient.line("the server does not answer, trying on");
    patient.signal("SIGTERM");
    expect(await patient.end).toBe(0);
    const once = startRunner(["--queue", queue, "--url", url, "--allow-any", "--once"], KEY);
    expect(await once.end).toBe(1);
  });
});
