import type { AdvanceReply, RunCommand } from "../../src/engine/run/command.ts";
import { projectRun } from "../../src/engine/run/project.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import type { RunRecord, RunStageRecord } from "../../src/schema/record.ts";
import { accepted, createRun, DONE, type RunFixture, runFixture, type RunShell } from "./run-fixture.ts";

/** A stage that a driver executes. */
export const fn = (extra: JsonObject = {}): JsonObject => ({
  kind: "stage",
  mode: "function",
  function: "echo",
  ...extra,
});

/** The result of a call that failed. */
export const failure = (message: string, more: JsonObject = {}): JsonObject => ({
  __workflow_stage_error: true,
  status: "failed",
  text: "",
  visible_text: "",
  error: message,
  ...more,
});

/** A result that says this. */
export const says = (text: string): JsonObject => ({ status: "completed", text, visible_text: text });

/** A run of a graph that was just created. */
export const runOf = (graph: JsonObject, more: Parameters<typeof createRun>[1] = {}): RunFixture => {
  const fixture = runFixture();
  accepted(fixture.shell, createRun({ id: "wf", ...graph }, more));
  return fixture;
};

/** A run of one node. */
export const runOfNode = (node: JsonObject, more: Parameters<typeof createRun>[1] = {}): RunFixture =>
  runOf({ entry: "m", nodes: { m: node }, edges: [] }, more);

/** A step of a driver beside others: every attempt that is open counts as alive. */
export const advance = (
  shell: RunShell,
  more: Partial<Extract<RunCommand, { type: "advance" }>> = {},
): AdvanceReply => {
  const live_attempts = shell.state?.open.map((unit) => unit.attempt_token) ?? [];
  const reply = accepted(shell, { type: "advance", live_attempts, ...more });
  if (reply.type !== "advance") throw new Error(`not a step: ${reply.type}`);
  return reply.advance;
};

/** Completes an attempt and goes on, beside other drivers. */
export const complete = (shell: RunShell, plan: StagePlan, result: JsonObject = DONE): AdvanceReply =>
  advance(shell, { complete: { attempt_token: plan.attempt_token, result } });

/** Takes plans, as several drivers would, until nothing more is handed out. */
export const takeAll = (shell: RunShell): readonly StagePlan[] => {
  const plans: StagePlan[] = [];
  for (let next = advance(shell).next; next !== null; next = advance(shell).next) plans.push(next);
  return plans;
};

/** The plan of an answer that must hold one. */
export const planIn = ({ next }: AdvanceReply): StagePlan => {
  if (next === null) throw new Error("there is no plan");
  return next;
};

/** The record of the run as it stands. */
export const recordOf = (shell: RunShell): RunRecord => {
  const record = projectRun(shell.entries(), { now: 0, nextId: () => "id" });
  if (record === null) throw new Error("there is no run");
  return record;
};

/** The recorded stage of a node. */
export const stageOf = (shell: RunShell, nodeId: string): RunStageRecord => {
  const stage = recordOf(shell).stages.find(({ node_id }) => node_id === nodeId);
  if (stage === undefined) throw new Error(`node ${nodeId} has no stage`);
  return stage;
};

/** The attempts of the run that are open, by the id of their node. */
export const tokensOf = (shell: RunShell): Readonly<Record<string, string>> =>
  Object.fromEntries((shell.state?.open ?? []).map((unit) => [unit.node_id, unit.attempt_token]));
