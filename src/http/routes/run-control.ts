import type * as z from "zod";
import type { Json } from "../../lib/json.ts";
import { finalizedSchema, reasonSchema, resumeSchema, runControlSchema } from "../../schema/api-run.ts";
import { shown } from "../bodies.ts";
import type { Call } from "../call.ts";
import { keyOf } from "../idempotency.ts";
import { done, type Outcome, type Router } from "../router.ts";
import { resumeFromCheckpoint } from "../new-run.ts";
import { replyOf, runNotFound, runObject } from "../run-object.ts";
import type { RunRequest } from "../../../durable-objects/workflow-run.ts";

type Control = z.output<typeof runControlSchema>;

const tell = async (call: Call, runId: string, request: RunRequest): Promise<Outcome<Control>> => {
  const answer = await runObject(call.env, call.tenant, runId).request(request, keyOf(call, request.type, request));
  const control = replyOf(answer, "control");
  return control.ok ? done(control.reply.control) : control.problem;
};

const reply = { status: 200, description: "Where the run stands", name: "RunControl", schema: runControlSchema };
const problems = ["run_not_found", "invalid_transition", "idempotency_key_reused"] as const;

const addPauseAndCancel = (router: Router): void => {
  const texts = {
    pause: "A stage under way may still complete; nothing new starts. Pausing twice changes nothing.",
    cancel: "Final. Whoever executes a stage of the run is refused from here on.",
  } as const;
  for (const verb of ["pause", "cancel"] as const) {
    router.add(
      {
        method: "post",
        path: `/v1/runs/{run_id}/${verb}`,
        operation: `${verb}_run`,
        tag: "Runs",
        summary: verb === "pause" ? "Pause a run" : "Cancel a run",
        description: texts[verb],
        access: "runs:write",
        body: { name: "Reason", schema: reasonSchema, optional: true },
        reply,
        problems,
      },
      ({ params, body, call }) =>
        tell(call, params.run_id, { type: `${verb}_run`, ...(body.reason == null ? {} : { reason: body.reason }) }),
    );
  }
};

const addResume = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/resume",
      operation: "resume_run",
      tag: "Runs",
      summary: "Resume a paused run",
      description:
        "A run that had used up its steps counts them anew; one that had used up its budget needs a higher one. With `checkpoint_id` a run that is not running goes on from that checkpoint as a new run, whose control is answered with 201; its `metadata.resumed_from` names the checkpoint.",
      access: "runs:write",
      body: { name: "Resume", schema: resumeSchema, optional: true },
      reply,
      problems: [...problems, "checkpoint_not_found", "payload_too_large"],
    },
    ({ params, body, call }) => {
      const { checkpoint_id: checkpointId, max_steps: maxSteps, budget } = body;
      if (checkpointId !== undefined)
        return resumeFromCheckpoint(call, params.run_id, { checkpoint_id: checkpointId, max_steps: maxSteps });
      return tell(call, params.run_id, {
        type: "resume_run",
        ...(maxSteps === undefined ? {} : { max_steps: maxSteps }),
        ...(budget === undefined ? {} : { budget }),
      });
    },
  );

const addFinalize = (router: Router): void =>
  router.add(
    {
      method: "post",
      path: "/v1/runs/{run_id}/finalize",
      operation: "finalize_run",
      tag: "Runs",
      summary: "End a run that is driven by hand",
      description: "Completed when nothing is ready any more, else paused. A run that is over stays as it is.",
      access: "runs:write",
      reply: { status: 200, description: "The run", name: "FinalizedRun", schema: finalizedSchema },
      problems,
    },
    async ({ params, call }) => {
      const run = runObject(call.env, call.tenant, params.run_id);
      const answer = replyOf(await run.request({ type: "finalize_run" }, keyOf(call, "finalize", null)), "control");
      if (!answer.ok) return answer.problem;
      const view = (await run.record({}))?.record;
      if (view == null) return runNotFound(params.run_id);
      const record = await shown(call, view);
      return done({
        status: answer.reply.control.status,
        run: record,
        artifacts: record.artifacts as unknown as readonly Json[],
        transcript: record.transcript,
        path: record.persisted_path,
      });
    },
  );

/** Pause, resume, cancel and finalize. */
export const addRunControlRoutes = (router: Router): void => {
  addPauseAndCancel(router);
  addResume(router);
  addFinalize(router);
};
