import { type ArtifactInput, normalizeArtifact } from "../../engine/artifact/normalize.ts";
import type { ArtifactEdits, ForkEdits } from "../../engine/replay/fork.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import { uuidIds } from "../../ports/ids.ts";
import { type ForkBody, forkReplySchema, forkRequestSchema } from "../../schema/api-replay.ts";
import { type ArtifactRecord, decodeArtifact, decodeArtifacts } from "../../schema/artifact.ts";
import type { Call } from "../call.ts";
import { decodeProblem } from "../graph-input.ts";
import { createFrom, decodeOptions, newRunId, planFork, sourceAt } from "../new-run.ts";
import { invalid, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { versionOf } from "./replay.ts";

const OPERATION = "fork_run";

type Edits = NonNullable<ForkBody["edits"]>;

/** Options that the fork sets itself, or that name a record in place of its own. */
const REFUSED_OPTIONS = [
  "resume_run",
  "resume_path",
  "replay_run",
  "replay_path",
  "replay_mode",
  "persist_path",
  "parent_run_id",
  "root_run_id",
  "blocked_nodes",
  "trigger_event",
];

const normal = (artifact: ArtifactInput): ArtifactRecord =>
  normalizeArtifact(artifact, { now: Date.now(), nextId: uuidIds });

const artifactEdits = (edits: NonNullable<Edits["artifacts"]>): Result<ArtifactEdits, Problem> => {
  const add = decodeArtifacts(edits.add ?? null);
  if (!add.ok) return err(decodeProblem("edits.artifacts.add", add.error));
  const replace: [string, ArtifactRecord][] = [];
  for (const [id, value] of Object.entries(edits.replace)) {
    const artifact = decodeArtifact(value);
    if (!artifact.ok) return err(decodeProblem(`edits.artifacts.replace.${id}`, artifact.error));
    replace.push([id, normal({ ...artifact.value, id })]);
  }
  return ok({ add: add.value.map(normal), remove: edits.remove, replace: Object.fromEntries(replace) });
};

const editsOf = (given: ForkBody["edits"]): Result<ForkEdits, Problem> => {
  if (given == null) return ok({});
  const { artifacts, task, stage_results, options, block_effects } = given;
  const refused = REFUSED_OPTIONS.filter((key) => options?.[key] != null);
  if (refused.length > 0)
    return err(invalid(refused.map((key) => ({ path: `edits.options.${key}`, message: "is set by the fork itself" }))));
  const changed = artifacts === undefined ? null : artifactEdits(artifacts);
  if (changed !== null && !changed.ok) return changed;
  return ok({
    ...(task === undefined ? {} : { task }),
    ...(changed === null ? {} : { artifacts: changed.value }),
    ...(stage_results === undefined ? {} : { stage_results }),
    ...(options === undefined ? {} : { options }),
    ...(block_effects === undefined ? {} : { block_effects }),
  });
};

const fork = async (call: Call, runId: string, body: ForkBody) => {
  const edits = editsOf(body.edits);
  if (!edits.ok) return edits.error;
  const source = await sourceAt(call, runId, body.checkpoint_id);
  if (!source.ok) return source.error;
  const version = await versionOf(call, source.value.graph.id, body.version);
  if (!version.ok) return version.error;
  const planned = planFork(source.value, {
    tenant: call.tenant,
    run_id: newRunId(call, OPERATION),
    edits: edits.value,
    ...version.value,
    ...(body.drive === undefined ? {} : { drive: body.drive }),
    as: "forked_from",
    decodeOptions,
  });
  if (!planned.ok) return planned.error;
  const { command, plan } = planned.value;
  if (body.dry_run) {
    const ready = command.options.resume_run?.pending_nodes ?? [];
    return done({ dry_run: true as const, ready_nodes: ready, effect_plan: plan });
  }
  const control = await createFrom(call, command, { operation: OPERATION, request: { run_id: runId, ...body } });
  return control.ok ? done({ ...control.value, effect_plan: plan }, 201) : control.error;
};

/** Forks of runs. */
export const addForkRoutes = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/fork",
      operation: OPERATION,
      tag: "Runs",
      summary: "Fork a run at a checkpoint",
      description:
        "A new run that goes on from the checkpoint, with another task, artifacts, last result, options or version of the workflow; the run itself stays as it is. `effect_plan` tells which recorded effects are reused, repeated or blocked; `dry_run` answers it with 200 and makes nothing.",
      access: "runs:write",
      body: { name: "Fork", schema: forkRequestSchema },
      reply: { status: 201, description: "The fork", name: "ForkedRun", schema: forkReplySchema },
      problems: [
        "run_not_found",
        "checkpoint_not_found",
        "workflow_not_found",
        "fork_edit_refused",
        "graph_invalid",
        "idempotency_key_reused",
      ],
    },
    ({ params, body, call }) => fork(call, params.run_id, body),
  );
