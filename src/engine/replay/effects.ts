import type { Json } from "../../lib/json.ts";
import type { WorkflowGraph, WorkflowNode } from "../../schema/graph.ts";
import type { RunStageRecord } from "../../schema/record.ts";
import { derivePlannerRound } from "../observe/planner-rounds.ts";
import { policyFromTools } from "../policy/tools.ts";
import { isStaticRecord, verifyCommand } from "../run/stage-node.ts";

/** What a stage did outside the run. */
export type EffectKind = "http" | "function" | "llm" | "agent" | "command" | "external" | "subagent" | "map" | "wait";

/** A tool that a stage called, and how far its effect may reach (spec/workflow 1.11). */
export interface CalledTool {
  readonly name: string;
  readonly side_effect_level: string;
}

/** A recorded execution that may have changed something outside. */
export interface EffectfulStage {
  readonly stage_id: string;
  readonly node_id: string;
  readonly kind: string;
  readonly effect: EffectKind;
  readonly status: string;
  readonly attempts: number;
  /** The key under which the outside was called. */
  readonly idempotency_key: string;
  readonly tools: readonly CalledTool[];
}

/** What becomes of a recorded effect in a fork. */
export type EffectDecision = "reused" | "repeated" | "blocked";

/** A recorded effect and what becomes of it. */
export interface PlannedEffect extends EffectfulStage {
  readonly decision: EffectDecision;
  readonly reason: string;
}

/** What a fork would do with the effects of the run it is made from. */
export interface EffectPlan {
  readonly effects: readonly PlannedEffect[];
  readonly counts: Readonly<Record<EffectDecision, number>>;
  /** Nodes that the fork does not execute again. */
  readonly blocked_nodes: readonly string[];
}

const MODES: ReadonlySet<string> = new Set<EffectKind>(["http", "function", "llm", "agent", "external"]);

const WAITS: ReadonlySet<string> = new Set(["wait", "sleep", "person", "timer", "signal", "message", "approval"]);

const effectOf = (stage: RunStageRecord, node: WorkflowNode | undefined): EffectKind | null => {
  if (isStaticRecord(stage)) return null;
  if (stage.kind === "subagent" || stage.metadata["worker"] !== undefined) return "subagent";
  if (stage.kind === "map") return "map";
  const mode = String(stage.metadata["mode"] ?? node?.mode ?? "llm");
  // What people have released was carried out.
  if (mode === "person" && stage.metadata["function"] !== undefined) return "function";
  if (WAITS.has(mode) || WAITS.has(stage.kind)) return "wait";
  // A verify node without a command only looks at what is there.
  if (mode === "command") return node === undefined || verifyCommand(node) !== undefined ? "command" : null;
  return MODES.has(mode) ? (mode as EffectKind) : "external";
};

const nodeOf = (graph: WorkflowGraph, nodeId: string): WorkflowNode | undefined =>
  Object.hasOwn(graph.nodes, nodeId) ? graph.nodes[nodeId] : undefined;

const toolsOf = (stage: RunStageRecord, node: WorkflowNode | undefined): readonly CalledTool[] => {
  const names = derivePlannerRound(stage)?.tools_used ?? [];
  if (names.length === 0) return [];
  const annotations = policyFromTools((node?.tools ?? null) as Json).tool_annotations;
  return names.map((name) => ({
    name,
    side_effect_level: Object.hasOwn(annotations, name) ? (annotations[name]?.side_effect_level ?? "none") : "none",
  }));
};

/** The executions of a run that may have changed something outside, in their order. */
export const effectfulStages = (graph: WorkflowGraph, stages: readonly RunStageRecord[]): readonly EffectfulStage[] =>
  stages.flatMap((stage) => {
    const node = nodeOf(graph, stage.node_id);
    const effect = effectOf(stage, node);
    if (effect === null) return [];
    const { id, node_id, kind, status } = stage;
    const attempts = Math.max(1, stage.attempts.length);
    return [
      { stage_id: id, node_id, kind, effect, status, attempts, idempotency_key: id, tools: toolsOf(stage, node) },
    ];
  });

const WRITES: ReadonlySet<string> = new Set(["workspace_write", "process_exec", "network"]);

const blockReason = (graph: WorkflowGraph, stage: EffectfulStage, blockEffects: boolean): string | null => {
  if (nodeOf(graph, stage.node_id)?.metadata["effects"] === "once")
    return `node ${stage.node_id} says effects: "once" in its metadata`;
  const writing = blockEffects ? stage.tools.find((tool) => WRITES.has(tool.side_effect_level)) : undefined;
  return writing === undefined ? null : `tool ${writing.name} has side effects (${writing.side_effect_level})`;
};

/** What a fork is planned from. */
export interface PlanInput {
  readonly effects: readonly EffectfulStage[];
  /** Stages whose results the fork keeps. */
  readonly kept: ReadonlySet<string>;
  /** Stages whose results are given with the fork. */
  readonly given: ReadonlySet<string>;
  /** The graph of the fork. */
  readonly graph: WorkflowGraph;
  readonly block_effects: boolean;
}

/**
 * What becomes of each recorded effect: before the checkpoint its result is reused; after it it is repeated where the fork
 * takes the recorded path, or blocked where it must happen once only.
 */
export const planEffects = ({ effects, kept, given, graph, block_effects }: PlanInput): EffectPlan => {
  const blockedNodes = new Set<string>();
  const planned = effects.map((stage): PlannedEffect => {
    const blocked = blockReason(graph, stage, block_effects);
    if (blocked !== null) blockedNodes.add(stage.node_id);
    if (given.has(stage.stage_id))
      return { ...stage, decision: "reused", reason: "its result is given with the fork; nothing is called" };
    if (kept.has(stage.stage_id))
      return { ...stage, decision: "reused", reason: "executed before the checkpoint; its result is kept" };
    if (blocked !== null) return { ...stage, decision: "blocked", reason: blocked };
    return {
      ...stage,
      decision: "repeated",
      reason: "executed after the checkpoint; the fork calls it again under a key of its own",
    };
  });
  const count = (decision: EffectDecision): number => planned.filter((effect) => effect.decision === decision).length;
  return {
    effects: planned,
    counts: { reused: count("reused"), repeated: count("repeated"), blocked: count("blocked") },
    blocked_nodes: [...blockedNodes],
  };
};
