import * as z from "zod";
import type { EventAnswer } from "../../durable-objects/trigger.ts";
import { driveAfterRequest } from "../driver/start.ts";
import { normalizeArtifact } from "../engine/artifact/normalize.ts";
import type { AdvanceReply } from "../engine/run/command.ts";
import type { DispatchOutcome } from "../engine/trigger/event.ts";
import type { Bindings } from "../http/call.ts";
import { runObject } from "../http/run-object.ts";
import { runSurroundings } from "../http/run-surroundings.ts";
import { triggerObject } from "../http/trigger-object.ts";
import { findVersion } from "../http/workflow-rows.ts";
import { uuidIds } from "../ports/ids.ts";
import { decodeGraph } from "../schema/graph.ts";
import { decodeRunOptions } from "../schema/run.ts";
import type { Consumer } from "./consumer.ts";
import { indexEvent } from "./index-events.ts";
import { report, textOf } from "./report.ts";

const dispatchMessage = z.object({
  v: z.literal(1),
  tenant: z.string().min(1),
  trigger_id: z.string().min(1),
  event_id: z.string().min(1),
  dedupe_key: z.string().min(1),
});

/** What a dispatch message asks for. */
export type DispatchRequest = z.output<typeof dispatchMessage>;

type StartRun = NonNullable<EventAnswer["start"]>;

/** The run's first step, for a driver that goes on with it at once. */
interface Started {
  readonly outcome: DispatchOutcome;
  readonly first: AdvanceReply | null;
}

const MAX_DETAIL_LENGTH = 2_000;

const failed = (code: string, detail: string, retryable: boolean): Started => ({
  outcome: { type: "failed", code, detail: detail.slice(0, MAX_DETAIL_LENGTH), retryable },
  first: null,
});

/** Creates the run of an event. Creating it again is the same request, and answered as a success. */
const createRun = async (env: Bindings, tenant: string, start: StartRun): Promise<Started> => {
  const { workflow_id, version, run_id: runId } = start;
  const stored = await findVersion(env.DB, { tenant, workflow_id, version });
  if (stored === null) {
    const named = version === null ? "" : ` version ${version} of`;
    // It may be defined later: until then the event waits on the ladder of its attempts.
    return failed("workflow_not_found", `there is no${named} workflow ${workflow_id}`, true);
  }
  const graph = decodeGraph(JSON.parse(stored.graph));
  if (!graph.ok) return failed("graph_invalid", graph.error.message, false);
  const options = decodeRunOptions(start.options);
  if (!options.ok) return failed("invalid_request", options.error.message, false);
  const context = { now: Date.now(), nextId: uuidIds };
  const given = { graph: graph.value, options: { ...options.value, trigger_event: start.trigger_event } };
  const answer = await runObject(env, tenant, runId).request({
    type: "create_run",
    tenant,
    run_id: runId,
    task: start.task,
    graph: graph.value,
    artifacts: start.artifacts.map((artifact) => normalizeArtifact(artifact, context)),
    ...(await runSurroundings(env, tenant, given)),
    drive: "auto",
    start: true,
  });
  if (answer.ok) {
    const first = answer.reply.type === "created" ? answer.reply.advance : null;
    return { outcome: { type: "started" }, first };
  }
  const { code, detail } = answer.rejection;
  return code === "run_already_exists" ? { outcome: { type: "started" }, first: null } : failed(code, detail, false);
};

/**
 * Dispatches an event: records the attempt, creates the run under the id that follows from the event, records the
 * outcome, and leaves driving the run to the background (architecture 4, steps 5 to 7).
 *
 * It may die between any two of these steps: the trigger sends the message again until the outcome is recorded, and
 * every repetition creates the same run. Throws only when the trigger itself cannot be reached.
 */
export const dispatchEvent = async (
  env: Bindings,
  ctx: Pick<ExecutionContext, "waitUntil">,
  request: DispatchRequest,
): Promise<void> => {
  const { tenant, trigger_id: triggerId, dedupe_key: key } = request;
  const begun = await triggerObject(env, tenant, triggerId).dispatch(key);
  if (!begun.ok) {
    report("an event could not be dispatched", { ...request, code: begun.rejection.code });
    return;
  }
  const { start } = begun.reply;
  if (start === null) return;
  const { dispatch, attempt, run_id: runId } = start;
  const { outcome, first } = await createRun(env, tenant, start).catch((error: unknown) =>
    failed("unavailable", `the run could not be created: ${textOf(error)}`, true),
  );
  const settlement = { dispatch_id: dispatch.dispatch_id, attempt, outcome };
  const settled = await triggerObject(env, tenant, triggerId).settle(key, settlement);
  if (settled.ok) ctx.waitUntil(indexEvent(env, tenant, settled.reply));
  if (outcome.type === "failed") report("a run could not be started", { ...request, ...outcome });
  if (first === null) return;
  ctx.waitUntil(
    driveAfterRequest(env, { tenant, run_id: runId, first }).catch((error: unknown) => {
      report("a driver stopped", { run_id: runId, error: textOf(error) });
    }),
  );
};

/** Dispatches the events a batch names. A message is acknowledged when its outcome is recorded. */
export const dispatchEvents: Consumer = async (batch, env, ctx) => {
  await Promise.all(
    batch.messages.map(async (message) => {
      const decoded = dispatchMessage.safeParse(message.body);
      if (!decoded.success) {
        report("not a dispatch message", { message_id: message.id });
        message.ack();
        return;
      }
      try {
        await dispatchEvent(env, ctx, decoded.data);
        message.ack();
      } catch (error) {
        report("a trigger could not be reached", { ...decoded.data, error: textOf(error) });
        message.retry();
      }
    }),
  );
};
