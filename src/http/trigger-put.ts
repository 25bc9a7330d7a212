import { secretProblem, secretVariable, type TriggerDefinition, triggerIdSchema } from "../schema/trigger.ts";
import type { Bindings } from "./call.ts";
import { referredSecret } from "./hook-binding.ts";
import type { Issue } from "./problem.ts";

/** Why a definition that is valid in itself cannot be put here: its id, or the secret of the deployment that it names. */
export const putIssues = (env: Bindings, triggerId: string, definition: TriggerDefinition): readonly Issue[] => {
  const id = triggerIdSchema.safeParse(triggerId);
  if (!id.success) return [{ path: "trigger_id", message: id.error.issues[0]?.message ?? "is not an id" }];
  const { secret_ref: reference } = definition;
  if (reference === undefined) return [];
  const secret = referredSecret(env, definition);
  const message =
    secret === null
      ? `the secret is not configured: set ${secretVariable(reference)}`
      : secretProblem(definition, secret);
  return message === null ? [] : [{ path: "secret_ref", message }];
};
