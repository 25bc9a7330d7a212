import { parseResumeConditions } from "../engine/worker/resume-conditions.ts";
import type { ResumeConditions, WorkerSuspension } from "../engine/worker/state.ts";
import type { Json } from "../lib/json.ts";
import { err, ok, type Result } from "../lib/result.ts";
import { invalid, type Problem } from "./problem.ts";

/** Judges the definition of a trigger that would wake a worker; this version has none that does. */
export const checkTrigger = (): string | null => null;

const NOT_HERE =
  "is not in this version: a suspended worker is woken by `timeout`, or with POST /v1/workers/{id}/resume";

/** Conditions that nothing would fulfil are refused: the worker would wait for ever. */
export const awakenable = (conditions: ResumeConditions | null): Problem | null => {
  const wrong = (["trigger", "on_event"] as const).filter((key) => conditions?.[key] !== undefined);
  if (wrong.length === 0) return null;
  return invalid(wrong.map((key) => ({ path: `conditions.${key}`, message: NOT_HERE })));
};

/** The same for a worker that comes suspended from elsewhere. */
export const suspensionTrigger = (suspension: WorkerSuspension | null): Problem | null =>
  awakenable(suspension?.conditions ?? null);

/** The conditions of a request, in the words of the specification where they are wrong (spec/workers 18.1). */
export const conditionsOf = (given: Json | undefined): Result<ResumeConditions | null, Problem> => {
  const conditions = parseResumeConditions(given ?? null, checkTrigger);
  if (!conditions.ok) return err(invalid([{ path: "conditions", message: conditions.error }], conditions.error));
  const wrong = awakenable(conditions.value);
  return wrong === null ? ok(conditions.value) : err(wrong);
};
