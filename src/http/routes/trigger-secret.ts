import { type TriggerReport, triggerReportSchema } from "../../schema/trigger.ts";
import { secretProblem, secretReferences, triggerIdSchema } from "../../schema/trigger-definition.ts";
import {
  type Handshake,
  handshakeSchema,
  type RotatedSecret,
  rotatedSecretSchema,
  type RotateSecret,
  rotateSecretSchema,
} from "../../schema/trigger-secret.ts";
import type { Call } from "../call.ts";
import { invalid, problem, type Problem } from "../problem.ts";
import { done, type Outcome, type Router } from "../router.ts";
import { openSecret, sealSecret } from "../sealing.ts";
import { tellShards } from "../trigger-shards.ts";
import { triggerNotFound, triggerObject } from "../trigger-object.ts";
import { generatedSecret, masterKeysOf, resealedUnder } from "../trigger-secrets.ts";

const REFERRED =
  "the secret is one of the deployment, not of the trigger: set the new one beside it and name both in `secret_refs`";

const referred = (): Problem => invalid([{ path: "secret", message: REFERRED }], REFERRED);

const rotate = async (
  call: Call,
  triggerId: string,
  { secret, overlap_seconds: overlap }: RotateSecret,
): Promise<Outcome<RotatedSecret>> => {
  if (!triggerIdSchema.safeParse(triggerId).success) return triggerNotFound(triggerId);
  const object = triggerObject(call.env, call.tenant, triggerId);
  const binding = await object.binding();
  if (binding === null) return triggerNotFound(triggerId);
  const { definition } = binding;
  if (secretReferences(definition).length > 0) return referred();
  if (definition.provider === "cron" || definition.provider === "manual") {
    return invalid([
      { path: "secret", message: `provider '${definition.provider}' takes no deliveries and needs no secret` },
    ]);
  }
  const message = secret === undefined ? null : secretProblem(definition, secret);
  if (message !== null) return invalid([{ path: "secret", message }]);
  const keys = await masterKeysOf(call.env);
  if (!keys.ok) return keys.error;
  const owner = { tenant: call.tenant, trigger_id: triggerId };
  const text = secret ?? (await generatedSecret(call, keys.value, { owner, definition }));
  const sealed = await sealSecret(keys.value, owner, text);
  const rotation = { overlap_ms: overlap * 1_000, is_generated: secret === undefined };
  const outcome = await object.rotateSecret(sealed, rotation);
  if (outcome === "referred") return referred();
  const shown = outcome === "rotated" ? await object.show() : null;
  if (shown === null) return triggerNotFound(triggerId);
  await tellShards(call.env, owner, shown.trigger.definition);
  return done({ trigger: shown.trigger, ...(secret === undefined ? { secret: text } : {}) });
};

const reseal = async (call: Call, triggerId: string): Promise<Outcome<TriggerReport>> => {
  if (!triggerIdSchema.safeParse(triggerId).success) return triggerNotFound(triggerId);
  const object = triggerObject(call.env, call.tenant, triggerId);
  const binding = await object.binding();
  if (binding === null) return triggerNotFound(triggerId);
  const keys = await masterKeysOf(call.env);
  if (!keys.ok) return keys.error;
  const owner = { tenant: call.tenant, trigger_id: triggerId };
  const resealed = await resealedUnder(keys.value, owner, binding.secrets);
  if (!resealed.ok) return resealed.error;
  if (resealed.value.length > 0) await object.resealSecrets(resealed.value);
  const shown = await object.show();
  return shown === null ? triggerNotFound(triggerId) : done(shown.trigger);
};

const handshakeOf = async (call: Call, triggerId: string): Promise<Outcome<Handshake>> => {
  if (!triggerIdSchema.safeParse(triggerId).success) return triggerNotFound(triggerId);
  const found = await triggerObject(call.env, call.tenant, triggerId).handshake();
  if (found === null) return problem("handshake_not_found", `no provider has asked to verify trigger '${triggerId}'`);
  const keys = await masterKeysOf(call.env);
  if (!keys.ok) return keys.error;
  const token = await openSecret(keys.value, { tenant: call.tenant, trigger_id: triggerId }, found.sealed);
  if (token === null) return problem("unavailable", "the token cannot be opened: let the provider send it again");
  return done({ verification_token: token, captured_at: found.captured_at });
};

const shared = {
  method: "post",
  tag: "Triggers",
  access: "triggers",
  problems: ["trigger_not_found", "unavailable"],
} as const;

/** Secrets of triggers: rotated with two valid at a time, and moved under another master key (spec/triggers 5.9). */
export const addTriggerSecretRoutes = (router: Router): void => {
  router.add(
    {
      ...shared,
      path: "/v1/triggers/{trigger_id}/rotate_secret",
      operation: "rotate_trigger_secret",
      summary: "Rotate the secret of a trigger",
      description:
        "The new secret verifies at once, the one before until `overlap_seconds` are over. At most two are valid: rotating again meanwhile ends the oldest at once. " +
        "The current secret given once more changes nothing. Send an `Idempotency-Key` with `generate`: repeated, it shows the same secret.",
      body: { name: "RotateSecret", schema: rotateSecretSchema },
      reply: { status: 200, description: "The trigger", name: "RotatedSecret", schema: rotatedSecretSchema },
    },
    ({ params, body, call }) => rotate(call, params.trigger_id, body),
  );
  router.add(
    {
      ...shared,
      path: "/v1/triggers/{trigger_id}/reseal",
      operation: "reseal_trigger_secret",
      summary: "Seal the secrets of a trigger under the first master key",
      description:
        "After a new key was put in front of `GODWIT_MASTER_KEY`: once every trigger was resealed, the key before may go.",
      reply: { status: 200, description: "The trigger", name: "Trigger", schema: triggerReportSchema },
    },
    ({ params, call }) => reseal(call, params.trigger_id),
  );
  router.add(
    {
      ...shared,
      method: "get",
      path: "/v1/triggers/{trigger_id}/handshake",
      operation: "get_trigger_handshake",
      summary: "Get the token that a provider sent to verify the address of a trigger",
      description:
        "Notion sends one to a trigger that has no secret. Compare it with what the provider shows: while there is no secret, anybody can send one.",
      reply: { status: 200, description: "The token", name: "TriggerHandshake", schema: handshakeSchema },
      problems: ["trigger_not_found", "handshake_not_found", "unavailable"],
    },
    ({ params, call }) => handshakeOf(call, params.trigger_id),
  );
};
