import { parseResumeConditions } from "../engine/worker/resume-conditions.ts";
import type { ResumeConditions, WorkerSuspension } from "../engine/worker/state.ts";
import type { Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { checkTrigger, resumeTrigger } from "../schema/resume-trigger.ts";
import type { Bindings } from "./call.ts";
import { invalid, type Problem } from "./problem.ts";
import { deploymentIssues } from "./trigger-put.ts";

/** Stands in for the suspension that a definition is judged without. */
const ANY = { worker_id: "worker", suspended_at: "" };

/**
 * Conditions that this deployment could not fulfil are refused before anything is suspended (spec/workers 17.2, 5; 32.5): the worker
 * would wait for ever.
 */
export const awakenable = (env: Bindings, conditions: ResumeConditions | null): Problem | null => {
  const definition = conditions?.trigger;
  if (definition === undefined) return null;
  const trigger = resumeTrigger(definition, ANY);
  const issues = trigger.ok
    ? deploymentIssues(env, trigger.value)
    : [{ path: "trigger", message: `HARN-SUS-002: invalid ResumeConditions.trigger: ${trigger.error}` }];
  return issues.length === 0
    ? null
    : invalid(issues.map(({ path, message }) => ({ path: `conditions.${path}`, message })));
};

/** The same for a worker that comes suspended from elsewhere. */
export const suspensionTrigger = (env: Bindings, suspension: WorkerSuspension | null): Problem | null =>
  awakenable(env, suspension?.conditions ?? null);

/** The conditions of a request, in the words of the specification where they are wrong (spec/workers 18.1). */
export const conditionsOf = (env: Bindings, given: Json | undefined): Result<ResumeConditions | null, Problem> => {
  const conditions = parseResumeConditions(given ?? null, checkTrigger);
  if (!conditions.ok) return err(invalid([{ path: "conditions", message: conditions.error }], conditions.error));
  const wrong = awakenable(env, conditions.value);
  return wrong === null ? ok(conditions.value) : err(wrong);
};
