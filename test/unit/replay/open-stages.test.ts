import { describe, expect, it } from "vitest";
import { forkRun } from "../../../src/engine/replay/fork.ts";
import { type ForkSource, forkSource } from "../../../src/engine/replay/fork-source.ts";
import { replayRun } from "../../../src/engine/replay/replay.ts";
import { recordedPage, replaySource } from "../../../src/engine/replay/source.ts";
import type { AdvanceReply, CreateRun } from "../../../src/engine/run/command.ts";
import type { Json, JsonObject } from "../../../src/lib/json.ts";
import { err, ok } from "../../../src/lib/result.ts";
import type { ToolCallRecord } from "../../../src/schema/agent-step.ts";
import type { StagePlan } from "../../../src/schema/plan.ts";
import { decodeRunOptions } from "../../../src/schema/run.ts";
import { playContext, PlayedRun } from "../../prove/played-run.ts";
import { createRun, must } from "../../support/run-fixture.ts";

const work = { kind: "stage", mode: "function", function: "work" };
const DONE = { status: "completed", text: "ok", visible_text: "ok" };

const decodeOptions = (raw: JsonObject) => {
  const options = decodeRunOptions(raw);
  return options.ok ? ok(options.value) : err({ code: "invalid_request", detail: options.error.message } as const);
};

const tool_call: ToolCallRecord = {
  call_id: "call",
  tool_name: "read",
  arguments: {},
  status: "ok",
  result: "found",
  duration_ms: 1,
  idempotency_key: "call",
  iteration: 1,
  started_at: "2026-01-01T00:00:00Z",
};

/** A run whose stages the test completes by node id, in the order it likes. */
class ByNode {
  readonly played = new PlayedRun(playContext());
  readonly #plans = new Map<string, StagePlan>();

  constructor(command: CreateRun) {
    const first = this.played.create(command);
    if (first === null) throw new Error("the run was refused");
    this.#fill(first);
  }

  plan(node: string): StagePlan {
    const plan = this.#plans.get(node);
    if (plan === undefined) throw new Error(`${node} is not open`);
    return plan;
  }

  complete(node: string, result: JsonObject = DONE): void {
    const complete = { attempt_token: this.plan(node).attempt_token, result };
    this.#plans.delete(node);
    this.#fill(this.played.step({ complete }, this.#live()));
  }

  get opened(): readonly string[] {
    return this.played.entries
      .flatMap(({ events }) => events)
      .flatMap((event) => (event.type === "stage_prepared" ? [event.node_id] : []));
  }

  #live(): readonly string[] {
    return [...this.#plans.values()].map((plan) => plan.attempt_token);
  }

  #fill(first: AdvanceReply): void {
    for (let { next } = first; next !== null; { next } = this.played.step({}, this.#live()))
      this.#plans.set(next.node_id, next);
  }
}

const started = (nodes: JsonObject, edges: readonly Json[], options: JsonObject = { max_parallel: 2 }): ByNode =>
  new ByNode(createRun({ id: "wf", entry: "f", nodes, edges }, { options }));

const sourceAtEnd = ({ played }: ByNode): ForkSource => {
  const id = played.record.checkpoints.at(-1)?.id ?? "";
  const source = forkSource(played.entries, id, played.context);
  if (typeof source === "string") throw new Error(source);
  return source;
};

const forkOf = (source: ForkSource, edits: JsonObject = {}): CreateRun => {
  const request = { tenant: "default", run_id: "run-2", edits, as: "forked_from", decodeOptions } as const;
  return must(forkRun(source, request, playContext())).command;
};

const twoSides = (b: JsonObject, to: string): ByNode =>
  started({ f: { kind: "fork" }, a: work, b, c: work }, [
    { from: "f", to: "a" },
    { from: "f", to: "b" },
    { from: "a", to },
  ]);

describe("stages that are open where a run is forked", () => {
  it("[W-12.5] are opened again first, with what they saw, in steps that are counted already", () => {
    const run = twoSides(work, "c");
    run.complete("a");
    const fork = new ByNode(forkOf(sourceAtEnd(run)));
    expect(fork.opened).toEqual(["b", "c"]);
    const [b, c] = fork.played.run.open;
    expect(b?.selected_artifact_ids).toEqual(run.played.run.open[0]?.selected_artifact_ids);
    expect(c?.selected_artifact_ids).toHaveLength(1);
    expect(fork.played.run.steps).toBe(run.played.run.steps);
  });

  it("[W-12.5] are planned anew where the fork changes what they may have seen", () => {
    const run = twoSides(work, "c");
    run.complete("a");
    const fork = new ByNode(forkOf(sourceAtEnd(run), { task: "another" }));
    expect(fork.plan("b").task).toBe("another");
    expect(fork.played.run.open[0]?.selected_artifact_ids).toHaveLength(1);
  });

  it("[W-12.5] are executed again though they are in the queue too", () => {
    const run = twoSides(work, "b");
    run.complete("a");
    const fork = new ByNode(forkOf(sourceAtEnd(run)));
    fork.complete("b");
    fork.complete("b");
    expect(fork.opened).toEqual(["b", "b"]);
    expect(fork.played.run.status).toBe("completed");
  });

  it("[W-14.3] say again what they had said, and make their tool calls again", () => {
    const agent = { kind: "stage", mode: "agent", model_policy: { session_id: "talk" } };
    const run = twoSides(agent, "c");
    const step = { iteration: 1, messages: [{ role: "assistant", content: "hello" }], tool_call };
    const { attempt_token } = run.plan("b");
    run.played.tell({ type: "record_step", attempt_token, number: 0, step });
    run.complete("a");
    expect(run.played.record.tool_recordings).toHaveLength(1);
    const source = sourceAtEnd(run);
    expect(source.record.tool_recordings).toEqual([]);
    expect(source.sessions.flatMap(({ messages }) => messages)).toEqual([]);
    expect(new ByNode(forkOf(source)).plan("b").session?.messages).toEqual([]);
  });
});

const usage = { input_tokens: 60, output_tokens: 0, total_duration_ms: 1, call_count: 1, total_cost: 0, models: [] };

describe("what a fork takes over", () => {
  it("[W-12.9] what was used counts against the budget of the fork", () => {
    const edges = ["ab", "bc", "cd"].map(([from, to]) => ({ from: from ?? "", to: to ?? "" }));
    const nodes = { a: work, b: work, c: work, d: work };
    const graph = { id: "wf", entry: "a", nodes, edges };
    const run = new ByNode(createRun(graph, { options: { budget: { max_tokens: 100 } } }));
    run.complete("a", { ...DONE, usage });
    const fork = new ByNode(forkOf(sourceAtEnd(run)));
    fork.complete("b", { ...DONE, usage });
    expect(fork.played.run.status).toBe("paused");
    expect(fork.played.record.usage).toBeNull();
    const raised = new ByNode(forkOf(sourceAtEnd(run), { options: { budget: { max_tokens: 100 } } }));
    raised.complete("b", { ...DONE, usage });
    expect(raised.played.run.status).toBe("running");
  });

  it("[W-6.6] a branch of a map is told the visit of its map, also in a fork", () => {
    const map = { ...work, kind: "map", map_policy: { items: ["x"] }, script: { replies: [] } };
    const run = new ByNode(createRun({ id: "wf", entry: "m", nodes: { m: map }, edges: [{ from: "m", to: "m" }] }));
    expect(run.plan("m_map_1").visit).toBe(1);
    run.complete("m_map_1");
    expect(run.plan("m_map_1").visit).toBe(2);
    expect(new ByNode(forkOf(sourceAtEnd(run))).plan("m_map_1").visit).toBe(2);
  });
});

const replayed = ({ played }: ByNode): PlayedRun => {
  const source = replaySource(played.entries, played.run);
  if (source === null) throw new Error("no source");
  const command = must(replayRun(source, { tenant: "default", run_id: "run-2", decodeOptions }));
  const replay = new PlayedRun(playContext());
  let reply = replay.create(command);
  while (reply?.recording !== undefined)
    reply = replay.step({ recorded: recordedPage(played.entries, played.run, reply.recording.from) }, []);
  return replay;
};

describe("replays of runs with several stages open at a time", () => {
  it("[W-12.5] a node that was asked for again while it was open is replayed twice", () => {
    const run = twoSides(work, "b");
    run.complete("a");
    run.complete("b");
    run.complete("b");
    const { record } = replayed(run);
    expect(record.stages.map(({ node_id }) => node_id)).toEqual(["f", "a", "b", "b"]);
    expect(record.status).toBe("completed");
  });

  it("[W-12.5] the record of a replay has the tool calls of its source", () => {
    const agent = { kind: "stage", mode: "agent" };
    const run = new ByNode(createRun({ id: "wf", entry: "a", nodes: { a: agent }, edges: [] }));
    const { attempt_token } = run.plan("a");
    run.played.tell({ type: "record_step", attempt_token, number: 0, step: { iteration: 1, tool_call } });
    run.complete("a");
    expect(run.played.record.tool_recordings).toHaveLength(1);
    expect(replayed(run).record.tool_recordings).toEqual(run.played.record.tool_recordings);
  });

  it("[W-12.5] the replay of a run that its budget paused is paused there", () => {
    const graph = { id: "wf", entry: "a", nodes: { a: work, b: work }, edges: [{ from: "a", to: "b" }] };
    const run = new ByNode(createRun(graph, { options: { budget: { max_tokens: 50 } } }));
    run.complete("a", { ...DONE, usage });
    expect(run.played.run.status).toBe("paused");
    const { record } = replayed(run);
    expect([record.status, record.pending_nodes]).toEqual(["paused", ["b"]]);
  });
});
