import { rfc3339 } from "../../lib/time.ts";
import {
  advancedSchema,
  advanceSchema,
  completedStageSchema,
  completeStageSchema,
  planSchema,
  prepareStageSchema,
  renewedSchema,
  renewStageSchema,
  runControlSchema,
  transitionsSchema,
} from "../../schema/api-run.ts";
import { decodeEdges, decodeStageReference } from "../../schema/run.ts";
import { decodeStageOptions } from "../../schema/stage-options.ts";
import { shownPlan, storedResult } from "../bodies.ts";
import { decodeProblem } from "../graph-input.ts";
import { keyOf } from "../idempotency.ts";
import { fromRejection, problem } from "../problem.ts";
import { done, type Router } from "../router.ts";
import { replyOf, runObject } from "../run-object.ts";

const tag = "Stages";
const access = "runs:write";

const addPrepare = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/stages/{node_id}/prepare",
      operation: "prepare_stage",
      tag,
      summary: "Prepare a stage",
      description:
        "Gives the plan of a ready node to the caller, who executes it and completes it with the attempt token before the lease ends.",
      access,
      body: { name: "PrepareStage", schema: prepareStageSchema, optional: true },
      reply: { status: 200, description: "The plan", name: "StagePlan", schema: planSchema },
      problems: [
        "run_not_found",
        "node_not_found",
        "stage_already_prepared",
        "invalid_transition",
        "policy_exceeds_ceiling",
        "idempotency_key_reused",
      ],
    },
    async ({ params, body, call }) => {
      const options = decodeStageOptions(body.options ?? {});
      if (!options.ok) return decodeProblem("options", options.error);
      const answer = await runObject(call.env, call.tenant, params.run_id).request(
        {
          type: "prepare_stage",
          node_id: params.node_id,
          options: options.value,
          ...(body.lease_ms === undefined ? {} : { lease_ms: body.lease_ms }),
        },
        keyOf(call, `prepare ${params.node_id}`, body),
      );
      const plan = replyOf(answer, "plan");
      return plan.ok ? done(await shownPlan(call, plan.reply.plan)) : plan.problem;
    },
  );

const addComplete = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/stages/{node_id}/complete",
      operation: "complete_stage",
      tag,
      summary: "Complete a stage",
      description:
        "The same token with the same result gets the first answer. Retry policies are for Godwit's own driver: a failed call that is handed in here is the stage's result.",
      access,
      body: { name: "CompleteStage", schema: completeStageSchema, bodies_in: "result" },
      reply: { status: 200, description: "The stage", name: "CompletedStage", schema: completedStageSchema },
      problems: [
        "run_not_found",
        "stale_attempt",
        "no_prepared_stage",
        "node_mismatch",
        "invalid_transition",
        "policy_exceeds_ceiling",
        "idempotency_key_reused",
      ],
    },
    async ({ params, body, call }) => {
      const { attempt_token } = body;
      const result = await storedResult(call, { run_id: params.run_id, attempt_token }, body.result);
      if (!result.ok) return result.error;
      const answer = await runObject(call.env, call.tenant, params.run_id).request(
        { type: "complete_stage", node_id: params.node_id, attempt_token, result: result.value },
        keyOf(call, `complete ${params.node_id}`, body),
      );
      const completed = replyOf(answer, "completed");
      return completed.ok ? done(completed.reply.stage) : completed.problem;
    },
  );

const addRenew = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/stages/{node_id}/renew",
      operation: "renew_stage",
      tag,
      summary: "Renew the lease of an attempt",
      description: "A sign of life of whoever executes the stage; repeating it is harmless.",
      access,
      body: { name: "RenewStage", schema: renewStageSchema },
      reply: { status: 200, description: "The lease", name: "RenewedLease", schema: renewedSchema },
      problems: ["run_not_found", "stale_attempt"],
    },
    async ({ params, body, call }) => {
      const answer = await runObject(call.env, call.tenant, params.run_id).renew([body.attempt_token]);
      if (!answer.ok) return fromRejection(answer.rejection);
      if (answer.reply.lost.length > 0)
        return problem("stale_attempt", "the attempt token is not the current one: stop working on this stage");
      return done({ lease_expires_at: rfc3339(answer.reply.lease_expires_at_ms) });
    },
  );

const addTransitions = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/transitions",
      operation: "record_transitions",
      tag,
      summary: "Record where a completed stage leads",
      access,
      body: { name: "RecordTransitions", schema: transitionsSchema },
      reply: { status: 200, description: "Where the run stands", name: "RunControl", schema: runControlSchema },
      problems: ["run_not_found", "invalid_transition", "idempotency_key_reused"],
    },
    async ({ params, body, call }) => {
      const stage = decodeStageReference(body.stage);
      if (!stage.ok) return decodeProblem("", stage.error);
      const edges = decodeEdges(body.edges);
      if (!edges.ok) return decodeProblem("", edges.error);
      const answer = await runObject(call.env, call.tenant, params.run_id).request(
        { type: "record_transitions", stage: stage.value, edges: edges.value },
        keyOf(call, "transitions", body),
      );
      const control = replyOf(answer, "control");
      return control.ok ? done(control.reply.control) : control.problem;
    },
  );

const addAdvance = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/advance",
      operation: "advance_run",
      tag,
      summary: "Complete the current stage and prepare the next one",
      description:
        "Completion, transitions, checkpoint and the next preparation in one commit. Without `complete` it gives the plan of the next stage.",
      access,
      body: { name: "Advance", schema: advanceSchema, optional: true, bodies_in: "complete" },
      reply: { status: 200, description: "The step", name: "Advanced", schema: advancedSchema },
      problems: [
        "run_not_found",
        "stale_attempt",
        "no_prepared_stage",
        "node_mismatch",
        "policy_exceeds_ceiling",
        "idempotency_key_reused",
      ],
    },
    async ({ params, body, call }) => {
      const { complete, lease_ms: leaseMs } = body;
      const { node_id: nodeId, ...given } = complete ?? { attempt_token: "", result: {} };
      const { attempt_token } = given;
      const result = await storedResult(call, { run_id: params.run_id, attempt_token }, given.result);
      if (!result.ok) return result.error;
      const rest = { attempt_token, result: result.value };
      const answer = await runObject(call.env, call.tenant, params.run_id).request(
        {
          type: "advance",
          holder: "caller",
          report: true,
          ...(leaseMs === undefined ? {} : { lease_ms: leaseMs }),
          ...(complete == null ? {} : { complete: { ...rest, ...(nodeId === undefined ? {} : { node_id: nodeId }) } }),
        },
        keyOf(call, "advance", body),
      );
      const step = replyOf(answer, "advance");
      if (!step.ok) return step.problem;
      const { next } = step.reply.advance;
      return done({ ...step.reply.advance, next: next === null ? null : await shownPlan(call, next) });
    },
  );

/** Stages, step by step: for callers that execute stages themselves. */
export const addStageRoutes = (router: Router): void => {
  addPrepare(router);
  addComplete(router);
  addRenew(router);
  addTransitions(router);
  addAdvance(router);
};
