import { normalizeRunRecord } from "../engine/observe/enrich.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { uuidIds } from "../ports/ids.ts";
import type { RunRecord, RunStageRecord, RunTransitionRecord } from "../schema/record.ts";
import type { ArtifactRecord } from "../schema/artifact.ts";
import type { Call } from "./call.ts";
import { problem, type Problem } from "./problem.ts";
import { runNotFound, runObject, type RunObject } from "./run-object.ts";

/** Stages of a run that is read whole, at most. */
const MAX_STAGES = 10_000;

const TRANSITIONS_AT_ONCE = 2_000;

const allStages = async (run: RunObject): Promise<readonly RunStageRecord[]> => {
  const stages: RunStageRecord[] = [];
  for (;;) {
    const page = await run.recording(stages.length);
    stages.push(...page.stages);
    if (page.stages.length === 0 || stages.length >= page.total) return stages;
  }
};

const allTransitions = async (run: RunObject): Promise<readonly RunTransitionRecord[]> => {
  const transitions: RunTransitionRecord[] = [];
  for (let cursor: number | null = 0; cursor !== null;) {
    const page = await run.part("transitions", { cursor, limit: TRANSITIONS_AT_ONCE });
    transitions.push(...((page?.items ?? []) as unknown as readonly RunTransitionRecord[]));
    cursor = page?.next_cursor ?? null;
  }
  return transitions;
};

/**
 * The record of a run with all its stages, artifacts and transitions, put together from pages where the record itself is
 * bounded. Checkpoints are counted only: those that are left out are shown like the oldest one that is not.
 */
export const wholeRecord = async (call: Call, runId: string): Promise<Result<RunRecord, Problem>> => {
  const run = runObject(call.env, call.tenant, runId);
  const view = await run.record({});
  if (view?.record == null) return err(runNotFound(runId));
  const { record, omitted } = view;
  const context = { now: Date.now(), nextId: uuidIds };
  if (omitted === null) return ok(normalizeRunRecord(record, context));
  if (omitted.stages + record.stages.length > MAX_STAGES)
    return err(problem("payload_too_large", `run ${runId} has more than ${MAX_STAGES} stages: read it by its pages`));
  const stages = await allStages(run);
  const produced = stages.flatMap((stage) => stage.artifacts);
  const given = omitted.artifacts + record.artifacts.length - produced.length;
  const inputs = given > 0 ? await run.part("artifacts", { cursor: 0, limit: given }) : null;
  const oldest = record.checkpoints.slice(0, 1);
  return ok({
    ...record,
    stages,
    transitions: await allTransitions(run),
    artifacts: [...((inputs?.items ?? []) as unknown as readonly ArtifactRecord[]), ...produced],
    checkpoints: [...Array.from({ length: omitted.checkpoints }, () => oldest).flat(), ...record.checkpoints],
    // Both were made from the part of the record that was shown.
    observability: null,
    replay_fixture: null,
  });
};
