import { describe, expect, it } from "vitest";
import type { RunEffect } from "../../../src/engine/run/command.ts";
import { delegatedSpawn } from "../../../src/engine/run/delegate.ts";
import { projectRun } from "../../../src/engine/run/project.ts";
import type { Run } from "../../../src/engine/run/state.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { accepted, counting, createRun, runFixture, type RunShell, step } from "../../support/run-fixture.ts";
import { drainOutbox } from "../../../durable-objects/shell/drain.ts";

const ANY_EXECUTION = { cwd: null, env: {}, worktree: null };

const subagent = (more: JsonObject = {}): JsonObject => ({
  kind: "subagent",
  mode: "llm",
  prompt: "Look",
  metadata: { worker_name: "scout" },
  ...more,
});

const started = (nodes: JsonObject, more: Parameters<typeof createRun>[1] = {}) => {
  const fixture = runFixture();
  accepted(fixture.shell, createRun({ entry: Object.keys(nodes)[0] ?? "", nodes, edges: [] }, more));
  const reply = step(fixture.shell);
  const effects = async (): Promise<readonly RunEffect[]> => {
    const found: RunEffect[] = [];
    await drainOutbox<RunEffect>(
      fixture.store,
      async (effect) => void found.push(effect),
      () => fixture.clock.now,
      (error) => {
        throw error;
      },
    );
    return found;
  };
  return { ...fixture, reply, effects };
};

const runOf = (shell: RunShell): Run => {
  if (shell.state === null) throw new Error("there is no run");
  return shell.state;
};

const unitOf = (shell: RunShell) => {
  const [unit] = runOf(shell).open;
  if (unit?.work.type !== "delegate") throw new Error("nothing is delegated");
  return { ...unit, worker_id: unit.work.worker_id };
};

const recordOf = (shell: RunShell) => projectRun(shell.entries(), counting());

const REPORT: JsonObject = {
  status: "completed",
  mode: "stage",
  result: {
    text: "found",
    usage: { input_tokens: 3, output_tokens: 2, call_count: 1, total_cost: 0.5, models: ["m"] },
  },
  worker: { id: "worker_1", name: "scout", status: "completed" },
  artifacts: [{ id: "a1", kind: "summary", text: "found", metadata: { delegated: true } }],
  transcript: { _type: "transcript", id: "t1", messages: [] },
};

describe("a subagent stage", () => {
  it("[L-14] parks its run and orders a worker, once", async () => {
    const { shell, reply, effects } = started({ s: subagent() });
    expect(reply).toMatchObject({ next: null, waiting: "worker", status: "running" });
    const unit = unitOf(shell);
    expect(unit).toMatchObject({ holder: "nobody", mode: "subagent", worker_id: expect.stringMatching(/^worker_/) });
    expect((await effects()).filter(({ type }) => type === "spawn_worker")).toEqual([
      { type: "spawn_worker", stage_id: unit.stage_id },
    ]);
  });

  it("[L-14.2] spawns a stage under the policy of the node, one level deeper", () => {
    const { shell } = started({ s: subagent({ capability_policy: { tools: ["read"], recursion_limit: 2 } }) });
    const unit = unitOf(shell);
    expect(delegatedSpawn(runOf(shell), unit.stage_id, ANY_EXECUTION)).toMatchObject({
      type: "spawn",
      worker_id: unit.worker_id,
      mode: "delegated_stage",
      name: "scout",
      task: "do it",
      config: { mode: "stage", node: { kind: "stage", prompt: "Look" } },
      carry_policy: { policy: { tools: ["read"], recursion_limit: 1 } },
      audit: { parent_session_id: "s", mutation_scope: "read_only", execution_kind: "delegated_stage" },
      parent_stage_id: "s",
      parent: { run_id: "run-1", stage_id: unit.stage_id, node_id: "s", attempt_token: unit.attempt_token },
    });
    expect(delegatedSpawn(runOf(shell), "another", ANY_EXECUTION)).toBe(null);
  });

  it("[L-31] spawns nobody any more when its run is over", () => {
    const { shell } = started({ s: subagent() });
    const { stage_id } = unitOf(shell);
    accepted(shell, { type: "cancel_run" });
    expect(delegatedSpawn(runOf(shell), stage_id, ANY_EXECUTION)).toBe(null);
  });

  it("[L-3] delegates nothing at the deepest level", () => {
    const { shell } = started({ s: subagent({ capability_policy: { recursion_limit: 0 } }) });
    expect(recordOf(shell)?.stages[0]).toMatchObject({
      branch: "error",
      metadata: { error: expect.stringContaining("recursion_limit is 0") },
    });
  });

  it("[L-14.7] is completed by what its worker reports; a repetition is the same", () => {
    const { shell } = started({ s: subagent() });
    const { attempt_token, node_id } = unitOf(shell);
    const report = { type: "complete_stage", node_id, attempt_token, result: REPORT } as const;
    const first = accepted(shell, report);
    expect(accepted(shell, report)).toEqual({ ...first, control: expect.anything() });
    step(shell);
    const record = recordOf(shell);
    expect(record?.stages[0]).toMatchObject({
      kind: "subagent",
      outcome: "subagent_completed",
      branch: "success",
      visible_text: "found",
      usage: { total_cost: 0.5, input_tokens: 3 },
      metadata: { worker: { id: "worker_1" }, worker_id: "worker_1" },
      transcript: { id: "t1" },
    });
    expect(record?.child_runs).toMatchObject([
      { worker_id: "worker_1", worker_name: "scout", parent_stage_id: "run-1:s:1" },
    ]);
    expect(runOf(shell).usage.total_cost).toBe(0.5);
  });

  it("[L-14.6] gives templates what its worker made where the report has no text", () => {
    const fixture = runFixture();
    const tell = { kind: "stage", mode: "function", function: "echo", input: "{{input.text}}, {{nodes.s.text}}" };
    const edges = [{ from: "s", to: "tell" }];
    accepted(fixture.shell, createRun({ entry: "s", nodes: { s: subagent(), tell }, edges }));
    step(fixture.shell);
    const { attempt_token, node_id } = unitOf(fixture.shell);
    const metadata = { worker_id: "worker_1", delegated: true };
    const artifacts = [
      { id: "a1", kind: "summary", text: "found", stage: "delegated_worker", metadata },
      { id: "a2", kind: "worker_result", text: null, stage: "s", priority: 95, metadata },
    ].map((artifact) => ({ _type: "artifact", ...artifact }));
    accepted(fixture.shell, { type: "complete_stage", node_id, attempt_token, result: { ...REPORT, artifacts } });
    step(fixture.shell);
    expect(runOf(fixture.shell).open[0]?.work).toMatchObject({ call: { input: "found, found" } });
  });

  it("[L-14.3] fails with its worker, which its record still shows", () => {
    const { shell } = started({ s: subagent() });
    const { attempt_token, node_id } = unitOf(shell);
    const result = { __workflow_stage_error: true, error: "no luck", worker: { id: "worker_1", status: "failed" } };
    accepted(shell, { type: "complete_stage", node_id, attempt_token, result });
    expect(recordOf(shell)?.stages[0]).toMatchObject({
      branch: "error",
      metadata: { worker_id: "worker_1", error: "no luck" },
    });
  });

  it("[L-31] ends its worker with its run, and when its time is over", async () => {
    const { shell, effects } = started({ s: subagent() });
    const { worker_id } = unitOf(shell);
    await effects();
    accepted(shell, { type: "cancel_run" });
    expect(await effects()).toContainEqual({ type: "close_worker", worker_id });
    const late = started({ s: subagent({ timeout_ms: 1_000 }) });
    const of = unitOf(late.shell).worker_id;
    late.clock.now += 1_000;
    step(late.shell);
    expect(await late.effects()).toContainEqual({ type: "close_worker", worker_id: of });
    expect(recordOf(late.shell)?.stages[0]).toMatchObject({ branch: "error" });
  });

  it("[L-31] a hundred of them wait side by side", () => {
    const names = Array.from({ length: 100 }, (_, at) => `s${at}`);
    const nodes = Object.fromEntries([["f", { kind: "fork" }], ...names.map((name) => [name, subagent()])]);
    const edges = names.map((to) => ({ from: "f", to }));
    const { shell } = runFixture();
    accepted(shell, createRun({ entry: "f", nodes, edges }, { options: { max_parallel: 2 } }));
    step(shell);
    expect(runOf(shell).open).toHaveLength(100);
  });
});
