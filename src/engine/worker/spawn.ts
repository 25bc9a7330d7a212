import { ok, type Result } from "../../lib/result.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import type { MutationSessionRecord } from "../../schema/record.ts";
import type { SpawnDraft, SpawnKind } from "../../schema/worker-spawn.ts";
import { normalizeArtifact } from "../artifact/normalize.ts";
import { normalizeGraph } from "../graph/normalize.ts";
import type { Context } from "../machine.ts";
import { meetWorkerPolicies, resolveWorkerPolicy } from "../policy/worker-policy.ts";
import { inheritedAudit } from "./audit.ts";
import type { WorkerInit } from "./command.ts";
import { parseResumeConditions, type TriggerCheck } from "./resume-conditions.ts";
import type { WorkerConfig } from "./state.ts";
import { subAgentOf } from "./sub-agent.ts";

/** Where a worker is started, and what it therefore inherits. */
export interface SpawnScope {
  /** The policy in force there; null for none. */
  readonly policy: CapabilityPolicy | null;
  /** The mutation session there; null for none. */
  readonly audit: MutationSessionRecord | null;
  /** The session of the agent that starts it; null outside an agent. */
  readonly session_id: string | null;
  readonly check_trigger: TriggerCheck;
}

/** A spawn config, resolved. */
export interface SpawnRequest extends WorkerInit {
  readonly mode: WorkerConfig["mode"];
  /** Whether whoever asked wants to wait until the worker has ended (spec/workers 2). */
  readonly wait: boolean;
}

interface Executed {
  readonly name: string;
  readonly config: WorkerConfig;
  /** What a sub-agent asks for beyond what the config does; null for nothing. */
  readonly policy: CapabilityPolicy | null;
}

const executed = (
  kind: SpawnKind,
  asked: { readonly task: string; readonly name: string | null; readonly parent_session_id: string | null },
  context: Context,
): Result<Executed, string> => {
  const name = asked.name ?? "worker";
  switch (kind.mode) {
    case "workflow": {
      const graph = normalizeGraph(kind.graph, context);
      const artifacts = kind.artifacts.map((artifact) => normalizeArtifact(artifact, context));
      return ok({ name, config: { mode: "workflow", graph, artifacts, options: kind.options }, policy: null });
    }
    case "stage": {
      const artifacts = kind.artifacts.map((artifact) => normalizeArtifact(artifact, context));
      return ok({ name, config: { ...kind, artifacts }, policy: null });
    }
    case "sub_agent": {
      const agent = subAgentOf(kind.request, asked, context);
      if (!agent.ok) return agent;
      const { spec, policy } = agent.value;
      return ok({ name: spec.name, config: { mode: "sub_agent", spec }, policy });
    }
  }
};

/**
 * A spawn config as a worker is made of it (spec/workers 2, 15.1), or the first thing that is wrong with it, in the order of
 * its parts: carry, policy, execution, audit, what it executes, and then what it waits for. It is never allowed more than the
 * scope that starts it.
 */
export const resolveSpawn = (draft: SpawnDraft, scope: SpawnScope, context: Context): Result<SpawnRequest, string> => {
  const { carry, execution, audit, kind } = draft;
  if (!carry.ok) return carry;
  if (!draft.policy.ok) return draft.policy;
  const ceiling = resolveWorkerPolicy({ ...draft.policy.value, parent: scope.policy });
  if (!ceiling.ok) return ceiling;
  if (!execution.ok) return execution;
  if (!audit.ok) return audit;
  if (!kind.ok) return kind;
  const asked = { task: draft.task, name: draft.name, parent_session_id: scope.session_id };
  const work = executed(kind.value, asked, context);
  if (!work.ok) return work;
  const { name, config } = work.value;
  const policy = meetWorkerPolicies(ceiling.value, work.value.policy);
  if (!policy.ok) return { ok: false, error: `spawn_agent: ${policy.error}` };
  const conditions = parseResumeConditions(draft.resume_when, scope.check_trigger);
  if (!conditions.ok) return conditions;
  return ok({
    mode: config.mode,
    wait: draft.wait,
    name,
    task: draft.task,
    config,
    carry_policy: { ...carry.value, policy: policy.value },
    execution: execution.value,
    audit: inheritedAudit(audit.value, scope.audit),
    ...(conditions.value === null ? {} : { resume_when: conditions.value }),
  });
};
