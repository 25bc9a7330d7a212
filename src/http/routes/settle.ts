import { DEFERRED_TARGET, settlementOf, triggerOutOfOrder } from "../../engine/finish/acknowledge.ts";
import type { LifecycleOutcome, LifecycleRequest } from "../../engine/finish/command.ts";
import { drainBudget } from "../../engine/finish/drain.ts";
import type { QueuedTrigger } from "../../engine/finish/queued.ts";
import { isEmptyState } from "../../engine/finish/snapshot.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import { err, ok, type Result } from "../../lib/result.ts";
import {
  acknowledgeTriggerSchema,
  settleReceiptSchema,
  settleSchema,
  triggerReceiptSchema,
} from "../../schema/api-finish.ts";
import type { Call } from "../call.ts";
import { drainPortsOf } from "../drain-ports.ts";
import { claimOnce } from "../idempotency.ts";
import { invalid, problem, type Problem } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { runNotFound, runObject } from "../run-object.ts";
import { drainRun } from "../settle-run.ts";
import { settleTrigger } from "../settle-trigger.ts";
import { suspendedOf } from "../suspended.ts";
import { tellLifecycle } from "../tell-lifecycle.ts";

const tag = "Finish";

const tell = (call: Call, runId: string, request: LifecycleRequest): Promise<Result<LifecycleOutcome, Problem>> =>
  tellLifecycle(call, runId, { request });

/** A queued trigger of the run that may be settled now. */
const findQueued = async (call: Call, runId: string, id: string): Promise<Result<QueuedTrigger, Problem>> => {
  if (id === "") return err(invalid([{ path: "trigger_id", message: "missing trigger id" }], "missing trigger id"));
  const snapshot = await suspendedOf(call, runId);
  if (!snapshot.ok) return snapshot;
  const { state } = snapshot.value;
  const outOfOrder = triggerOutOfOrder(state);
  if (outOfOrder !== null) return err(problem("invalid_transition", outOfOrder));
  const item = state.queued_triggers.find((queued) => queued.id === id);
  return item === undefined ? err(notQueued(runId, id)) : ok(item);
};

const notQueued = (runId: string, id: string): Problem =>
  problem("queued_trigger_not_found", `no trigger ${id} waits for run ${runId}`);

/** Settles a queued trigger and audits it (spec/workers 22.4). */
const acknowledge = async (call: Call, runId: string, item: QueuedTrigger): Promise<Problem | null> => {
  const how = settlementOf(item);
  if (!how.ok) return problem("invalid_transition", how.error);
  if (!(await settleTrigger(call, how.value))) return notQueued(runId, item.id);
  const payload = { trigger_id: item.id, item: { ...item } };
  const told = await tell(call, runId, { type: "emit_audit", kind: "trigger_acknowledged", payload });
  return told.ok ? null : told.error;
};

const addAcknowledge = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/unsettled/acknowledge",
      operation: "acknowledge_queued_trigger",
      tag,
      summary: "Settle a trigger that waits",
      description:
        "A job is acknowledged, an event cancelled. With `defer` it is handed on to another pipeline. Suspended workers and open handoffs come first.",
      access: "runs:write",
      body: { name: "AcknowledgeTrigger", schema: acknowledgeTriggerSchema },
      reply: { status: 200, description: "The receipt", name: "TriggerReceipt", schema: triggerReceiptSchema },
      problems: ["run_not_found", "queued_trigger_not_found", "invalid_transition", "idempotency_key_reused"],
    },
    async ({ params, body, call }) => {
      const { run_id: runId } = params;
      const claimed = await claimOnce(call, "acknowledge_queued_trigger", { runId, ...body }, {});
      if (!claimed.ok) return claimed.error;
      const found = await findQueued(call, runId, body.trigger_id);
      if (!found.ok) return found.error;
      const item = found.value;
      const refusal = await acknowledge(call, runId, item);
      if (refusal !== null) return refusal;
      const receipt = { trigger_id: item.id, item };
      if (!body.defer) return done({ status: "acknowledged", method: "acknowledge_trigger", ...receipt } as const);
      const acknowledgement = {
        status: "acknowledged",
        method: "acknowledge_trigger",
        trigger_id: item.id,
        item: { ...item },
      };
      const payload: JsonObject = { deferred_trigger: { ...item }, acknowledgement };
      const target = body.target ?? DEFERRED_TARGET;
      const handed = await tell(call, runId, { type: "hand_off", target, payload });
      if (!handed.ok) return handed.error;
      const { envelope } = handed.value;
      if (envelope === null) throw new Error("a run has handed nothing on");
      const deferred = { trigger_id: item.id, envelope_id: envelope.envelope_id };
      const told = await tell(call, runId, { type: "emit_audit", kind: "trigger_deferred", payload: deferred });
      if (!told.ok) return told.error;
      return done({ status: "deferred", method: "defer_trigger", ...receipt, envelope } as const);
    },
  );

const addSettle = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/settle",
      operation: "settle_run",
      tag,
      summary: "Settle what a run has left unsettled",
      description:
        "The settlement agent: suspended workers are closed, jobs and handoffs acknowledged, calls and tasks recorded; one item of each kind in each iteration. Events that wait in triggers are left to the runs to come, unless `include_events` has them cancelled. Every decision is audited.",
      access: "runs:write",
      body: { name: "Settle", schema: settleSchema, optional: true },
      reply: { status: 200, description: "The receipt", name: "SettleReceipt", schema: settleReceiptSchema },
      problems: ["run_not_found", "idempotency_key_reused"],
    },
    async ({ params, body, call }) => {
      const { run_id: runId } = params;
      const given = isEmptyState(body.unsettled ?? {});
      if (!given.ok) return invalid([{ path: "unsettled", message: given.error }], given.error);
      const claimed = await claimOnce(call, "settle_run", { runId, ...body }, {});
      if (!claimed.ok) return claimed.error;
      if ((await runObject(call.env, call.tenant, runId).unsettled()) === null) return runNotFound(runId);
      const receipt = await drainRun(drainPortsOf(call, runId), {
        budget: drainBudget(body.drain_budget_iterations as Json | undefined),
        return_value: body.return_value as Json,
        given_is_empty: given.value,
        include_events: body.include_events,
      });
      return done(receipt);
    },
  );

/** Settling what a run has left behind (spec/workers 21.10, 22). */
export const addSettleRoutes = (router: Router): void => {
  addAcknowledge(router);
  addSettle(router);
};
