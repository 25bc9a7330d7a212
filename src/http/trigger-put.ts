import type { Answer } from "../engine/machine.ts";
import type { BindingReply } from "../engine/trigger/binding.ts";
import type { BindingSource } from "../engine/trigger/binding-version.ts";
import { err, ok, type Result } from "../lib/result.ts";
import {
  secretProblem,
  secretVariable,
  type TriggerDefinition,
  triggerIdSchema,
} from "../schema/trigger-definition.ts";
import { pathProblem } from "../schema/trigger-path.ts";
import type { Bindings, Call } from "./call.ts";
import { missingReference, referredSecrets } from "./hook-binding.ts";
import { claimPath, type ComingPaths, type PathClaim, returnPath } from "./path-claim.ts";
import type { Issue, Problem } from "./problem.ts";
import { triggerObject } from "./trigger-object.ts";
import { sealFor } from "./trigger-secrets.ts";

/** Why a definition that is valid in itself cannot be put here: its id, its path, or a secret of the deployment that it names. */
export const putIssues = (env: Bindings, triggerId: string, definition: TriggerDefinition): readonly Issue[] => {
  const id = triggerIdSchema.safeParse(triggerId);
  if (!id.success) return [{ path: "trigger_id", message: id.error.issues[0]?.message ?? "is not an id" }];
  if (definition.handler.auto_resume !== undefined)
    return [{ path: "handler.auto_resume", message: "is the handler of a suspended worker's own trigger" }];
  const misplaced = pathProblem(triggerId, definition);
  if (misplaced !== null) return [{ path: "path", message: misplaced }];
  return deploymentIssues(env, definition);
};

/** Which secrets that a definition names this deployment does not have, or has in a form that verifies nothing. */
export const deploymentIssues = (env: Bindings, definition: TriggerDefinition): readonly Issue[] => {
  const path = definition.secret_refs === undefined ? "secret_ref" : "secret_refs";
  const missing = missingReference(env, definition);
  if (missing !== null) return [{ path, message: `the secret is not configured: set ${secretVariable(missing)}` }];
  const problems = referredSecrets(env, definition).map((secret) => secretProblem(definition, secret));
  return problems.flatMap((message) => (message === null ? [] : [{ path, message }]));
};

/** Which code is deployed, where the platform says so. */
export const codeVersion = (env: Bindings): string | null => env.CF_VERSION_METADATA?.id ?? null;

/** Which trigger is put, by whom, and what becomes of the others' paths with it. */
interface PutOf {
  readonly trigger_id: string;
  readonly source: BindingSource;
  readonly coming?: ComingPaths;
}

const configure = async (
  call: Pick<Call, "env" | "tenant">,
  { trigger_id: triggerId, source }: PutOf,
  { secret, ...definition }: TriggerDefinition,
): Promise<Result<Answer<BindingReply>, Problem>> => {
  const owner = { tenant: call.tenant, trigger_id: triggerId };
  const sealed = secret === undefined ? null : await sealFor(call.env, owner, secret);
  if (sealed?.ok === false) return err(sealed.error);
  const object = triggerObject(call.env, call.tenant, triggerId);
  return ok(
    await object.configure(triggerId, definition, {
      tenant: call.tenant,
      source,
      secret: sealed?.value ?? null,
      code_version: codeVersion(call.env),
    }),
  );
};

/**
 * Puts a definition. Its path is claimed before and given back when it is refused; its secret is sealed before it leaves
 * the Worker, so that it is stored nowhere as it is.
 */
export const putTrigger = async (
  call: Pick<Call, "env" | "tenant">,
  of: PutOf,
  definition: TriggerDefinition,
): Promise<Result<Answer<BindingReply>, Problem>> => {
  const { path } = definition;
  const { trigger_id, coming = new Map<string, null>() } = of;
  const claim: Result<PathClaim | null, Problem> =
    path === undefined ? ok(null) : await claimPath(call, { trigger_id, path, coming });
  if (!claim.ok) return claim;
  const answer = await configure(call, of, definition);
  if (claim.value !== null && (!answer.ok || !answer.value.ok)) await returnPath(call, claim.value);
  return answer;
};
