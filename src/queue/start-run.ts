import { driveAfterRequest } from "../driver/start.ts";
import { normalizeArtifact } from "../engine/artifact/normalize.ts";
import type { HandlerReport } from "../engine/trigger/event.ts";
import { intersectPolicies } from "../engine/policy/capability.ts";
import { err, ok, type Result } from "../lib/result.ts";
import type { CapabilityPolicy } from "../schema/policy.ts";
import type { HandlerCall } from "../engine/trigger/handler.ts";
import { runOutcome } from "../engine/trigger/run-outcome.ts";
import type { Bindings } from "../http/call.ts";
import { runObject } from "../http/run-object.ts";
import { runSurroundings } from "../http/run-surroundings.ts";
import { findVersion } from "../http/workflow-rows.ts";
import { uuidIds } from "../ports/ids.ts";
import { decodeGraph } from "../schema/graph.ts";
import { decodeRunOptions } from "../schema/run.ts";
import { report, textOf } from "./report.ts";

type WorkflowCall = Extract<HandlerCall, { readonly kind: "workflow" }>;

interface Start {
  readonly tenant: string;
  readonly call: WorkflowCall;
  /** The key of the event's row. */
  readonly key: string;
  readonly shard: number | undefined;
}

const MAX_DETAIL_LENGTH = 2_000;

const failed = (code: string, detail: string, retryable: boolean): HandlerReport => ({
  type: "failed",
  class: "infrastructure",
  code,
  detail: detail.slice(0, MAX_DETAIL_LENGTH),
  retryable,
});

/** How a run that was started before stands: it may have ended while nobody was told. */
const standing = async (env: Bindings, { tenant, call }: Start): Promise<HandlerReport> => {
  const { run_id } = call.run;
  if (call.completion === "started") return { type: "succeeded", result: { run_id } };
  const view = await runObject(env, tenant, run_id).record({});
  const status = view?.record?.status;
  if (status !== "completed" && status !== "failed" && status !== "cancelled") return { type: "running" };
  return runOutcome({ status, error: null });
};

/** What a run may do under the autonomy tier of its trigger: it can only narrow (spec/triggers 8). */
const policyUnder = (
  ceiling: CapabilityPolicy | null,
  asked: CapabilityPolicy | undefined,
): Result<{ readonly capability_policy?: CapabilityPolicy }, string> => {
  if (ceiling === null) return ok(asked === undefined ? {} : { capability_policy: asked });
  if (asked === undefined) return ok({ capability_policy: ceiling });
  const met = intersectPolicies(ceiling, asked);
  return met.ok ? ok({ capability_policy: met.value }) : err(String(met.error));
};

/**
 * Starts the run of an event (architecture 4, steps 6 and 7), and leaves driving it to the background. Creating it again is
 * the same request; a trigger that waits for the run's end learns of it from the run.
 */
export const startRun = async (
  env: Bindings,
  ctx: Pick<ExecutionContext, "waitUntil">,
  start: Start,
): Promise<HandlerReport> => {
  try {
    return await started(env, ctx, start);
  } catch (error) {
    return failed("unavailable", `the run could not be created: ${textOf(error)}`, true);
  }
};

const started = async (
  env: Bindings,
  ctx: Pick<ExecutionContext, "waitUntil">,
  start: Start,
): Promise<HandlerReport> => {
  const { tenant, call, key, shard } = start;
  const { workflow_id, version, run_id, dispatch } = call.run;
  const stored = await findVersion(env.DB, { tenant, workflow_id, version });
  if (stored === null) {
    const named = version === null ? "" : ` version ${version} of`;
    // It may be defined later: until then the event waits on the ladder of its attempts.
    return failed("workflow_not_found", `there is no${named} workflow ${workflow_id}`, true);
  }
  const graph = decodeGraph(JSON.parse(stored.graph));
  if (!graph.ok) return failed("graph_invalid", graph.error.message, false);
  const options = decodeRunOptions(call.run.options);
  if (!options.ok) return failed("invalid_request", options.error.message, false);
  const policy = policyUnder(call.run.ceiling, options.value.capability_policy);
  if (!policy.ok) return { ...failed("policy_exceeds_ceiling", policy.error, false), class: "denied" } as HandlerReport;
  const context = { now: Date.now(), nextId: uuidIds };
  const settled = { ...options.value, ...policy.value, trigger_event: call.run.trigger_event };
  const given = { graph: graph.value, options: settled };
  const { dispatch_id, trigger_id } = dispatch;
  const answer = await runObject(env, tenant, run_id).request({
    type: "create_run",
    tenant,
    run_id,
    task: call.run.task,
    graph: graph.value,
    artifacts: call.run.artifacts.map((artifact) => normalizeArtifact(artifact, context)),
    ...(await runSurroundings(env, tenant, given)),
    ...(call.completion === "finished"
      ? { report_to: { trigger_id, shard, key, dispatch_id, attempt: call.attempt } }
      : {}),
    drive: "auto",
    start: true,
  });
  if (!answer.ok) {
    const { code, detail } = answer.rejection;
    return code === "run_already_exists" ? standing(env, start) : failed(code, detail, false);
  }
  if (answer.reply.type === "created" && answer.reply.advance !== null) {
    const first = answer.reply.advance;
    ctx.waitUntil(
      driveAfterRequest(env, { tenant, run_id, first }).catch((error: unknown) => {
        report("a driver stopped", { run_id, error: textOf(error) });
      }),
    );
  }
  return call.completion === "finished" ? { type: "running" } : { type: "succeeded", result: { run_id } };
};
