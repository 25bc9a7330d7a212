import type { Json, JsonObject } from "../../lib/json.ts";
import { ok, type Result } from "../../lib/result.ts";
import type { ArtifactRecord } from "../../schema/artifact.ts";
import type { WorkflowNode } from "../../schema/graph.ts";
import type { StageMode } from "../../schema/plan.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import { needsBodies } from "../node/condition-work.ts";
import { stagePolicies } from "../policy/scopes.ts";
import { blockedInFork } from "../replay/blocked.ts";
import { nextRecordedStage, type RecordedPage } from "../replay/next-stage.ts";
import { commandJob, commandQueue } from "../verification/command-job.ts";
import { planDelegation } from "./delegate.ts";
import type { Draft } from "./draft.ts";
import { executeStatic } from "./execute-static.ts";
import { failedStage } from "./executed-stage.ts";
import { sessionOf } from "./session-of.ts";
import { openById } from "./open.ts";
import { isStaticNode, stageMode, stageNode, stageTimeout, unitNode } from "./stage-node.ts";
import { workExcess } from "./stage-policy.ts";
import { planWork, selectArtifactsFor } from "./stage-work.ts";
import { planMap } from "../node/map.ts";
import { deadlineOfRequest } from "../hitl/envelope.ts";
import { askedWork, askingOf } from "./person.ts";
import { tellRequest } from "./request-log.ts";
import { deadlineOf } from "./waits.ts";
import type { ExecutedStage, Holder, Run, StageWork } from "./state.ts";

export interface StageRequest {
  readonly node_id: string;
  readonly options: JsonObject;
  readonly ready?: readonly string[];
  readonly holder: Holder;
  readonly lease_ms: number;
  readonly granted_by?: string;
  /** The holder executes the stage as a whole, also where a driver would take it in parts. */
  readonly whole?: boolean;
  /** Stages of the recording that a replay follows, when they did not come with the run. */
  readonly recorded?: RecordedPage;
}

/** A stage could not even be prepared: the run fails with this text (architecture 7). */
export interface Raised {
  readonly code: "policy_exceeds_ceiling" | "node_not_found" | "invalid_transition";
  readonly detail: string;
}

/** Opens a stage (spec/workflow 4.5). Returns what was raised, or null when the stage is prepared. */
export const prepareStage = (draft: Draft, request: StageRequest): Raised | null => {
  const { run } = draft;
  const node = stageNode(run, request.node_id, request.options);
  if (node === undefined)
    return { code: "node_not_found", detail: `workflow_execute: missing node ${request.node_id}` };
  const policies = stagePolicies(run, node, request.options);
  if (!policies.ok) return { code: "policy_exceeds_ceiling", detail: policies.error };

  const planned = workOf(draft, node, request);
  if (!planned.ok) return { code: "invalid_transition", detail: planned.error };
  const { selected_ids, work } = workWithin(policies.value.policy, planned.value);
  const mode = stageMode(node);
  const queue = work.type === "command" ? commandQueue(node.verify as Json, run.options) : null;
  const holder = holderOf(request, mode, queue !== null);
  const number = run.stage_count + openStages(run) + 1;
  const stage_id = `${run.run_id}:${request.node_id}:${number}`;
  const asking = work.type === "person" ? askingOf(draft, work, number) : null;
  const ownDeadline = work.type === "precomputed" ? null : deadlineOf(node, mode, draft.context.now);
  const deadline = asking === null ? ownDeadline : deadlineOfRequest(asking);
  draft.emit({
    type: "stage_prepared",
    stage_id,
    node_id: request.node_id,
    kind: node.kind,
    mode,
    ...(work.type === "model" ? sessionOf(draft, node) : {}),
    ...(Object.keys(request.options).length === 0 ? {} : { options: request.options }),
    selected_artifact_ids: selected_ids,
    work: work.type === "person" && asking !== null ? askedWork(work, asking) : work,
    // Nobody has tried what waits to be taken; a command's first attempt is the one that its queue completes.
    attempt: holder === "nobody" && queue === null ? 0 : 1,
    attempt_token: draft.context.nextId("attempt"),
    holder,
    lease_ms: request.lease_ms,
    granted_by: request.granted_by ?? null,
    ...(deadline === null ? {} : { deadline_ms: deadline }),
    ...(run.reopen.length === 0 ? {} : { reopened: true }),
    ...(request.ready === undefined ? {} : { ready: request.ready }),
  });
  if (work.type === "wait") draft.subscribe(stage_id, work.message);
  if (work.type === "delegate") draft.effects.push({ type: "spawn_worker", stage_id });
  if (asking !== null) tellRequest(draft, { request_id: asking.request_id, stage_id }, { type: "ask", asking });
  if (queue !== null && holder === "nobody") orderCommand(draft, stage_id, queue);
  return null;
};

const openStages = (run: Run): number => run.open.filter((unit) => unit.branch_of === null).length;

/** Puts the command of a stage into a queue; the stage waits, like an external one (spec/workflow 20). */
const orderCommand = (draft: Draft, stageId: string, queue: string): void => {
  const { run } = draft;
  const unit = openById(run, stageId);
  if (unit?.work.type !== "command") return;
  const node = unitNode(run, unit);
  const timeout_ms = stageTimeout(node, "command");
  const job = commandJob({ run, ...unit, command: unit.work.command, verify: node.verify as Json, timeout_ms });
  draft.effects.push({ type: "enqueue_job", queue, job });
};

/**
 * An external stage is nobody's until somebody takes it, and so is a command that goes to a queue; a map is executed by its
 * branches; a wait by nobody at all.
 */
const holderOf = (request: StageRequest, mode: StageMode, isQueued: boolean): Holder => {
  if (mode === "sleep" || mode === "wait" || mode === "subagent" || mode === "person") return "nobody";
  if (mode === "map") return request.whole === true ? request.holder : "nobody";
  return (mode === "external" || isQueued) && request.holder === "driver" ? "nobody" : request.holder;
};

interface Work {
  readonly selected_ids: readonly string[];
  readonly work: StageWork;
}

const precomputed = (executed: ExecutedStage, selectedIds: readonly string[] = []): Work => ({
  selected_ids: selectedIds,
  work: { type: "precomputed", executed },
});

const workWithin = (policy: CapabilityPolicy, planned: Work): Work => {
  const excess = workExcess(policy, planned.work);
  return excess === null ? planned : precomputed(failedStage(`Error [tool_rejected]: ${excess}`));
};

const idsOf = (artifacts: readonly ArtifactRecord[]): readonly string[] => artifacts.map((artifact) => artifact.id);

const workOf = (draft: Draft, node: WorkflowNode, request: StageRequest): Result<Work, string> => {
  const { run } = draft;
  const { node_id: nodeId, recorded } = request;
  if (run.replay !== null) {
    const stage = nextRecordedStage(run.replay, nodeId, recorded);
    return stage.ok ? ok(precomputed(stage.value.executed, stage.value.selected_artifact_ids)) : stage;
  }
  const blocked = blockedInFork(run.options, nodeId);
  if (blocked !== null) return ok(precomputed(failedStage(blocked)));
  const reopened = run.reopen[0]?.prepared;
  // A fork delegates to workers of its own.
  const prepared = reopened?.work.type === "delegate" ? undefined : reopened;
  return ok(
    prepared === undefined
      ? ownWork(draft, node)
      : { selected_ids: prepared.selected_artifact_ids, work: prepared.work },
  );
};

/** The work of a node that is really executed. */
const ownWork = ({ run, context }: Draft, node: WorkflowNode): Work => {
  if (isStaticNode(node)) {
    const selected = selectArtifactsFor(run, node);
    const call = needsBodies(node, selected);
    if (call !== null) return { selected_ids: idsOf(selected), work: { type: "condition", call } };
    return precomputed(executeStatic(node, selected, context), idsOf(selected));
  }
  if (node.kind === "subagent") {
    const { selected, work } = planDelegation(run, node, context);
    return { selected_ids: idsOf(selected), work };
  }
  if (node.kind === "map") {
    const selected = selectArtifactsFor(run, node);
    return { selected_ids: idsOf(selected), work: { type: "map", map: planMap(node, selected) } };
  }
  const planned = planWork(run, node);
  // A stage that cannot be prepared is a failed stage of the run, not a failed run (spec/workflow 4.5).
  if (!planned.ok) return precomputed(failedStage(planned.error));
  return { selected_ids: idsOf(planned.value.selected), work: planned.value.work };
};
