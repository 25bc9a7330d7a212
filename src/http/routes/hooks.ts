import { lowerCaseHeaders } from "../../connectors/headers.ts";
import { CONNECTORS } from "../../connectors/registry.ts";
import type { SignedRequest } from "../../connectors/connector.ts";
import { indexEvent } from "../../queue/index-events.ts";
import { tenantIdSchema } from "../../schema/api-key.ts";
import { type Receipt, receiptSchema, triggerIdSchema } from "../../schema/trigger.ts";
import { readBytes } from "../body.ts";
import type { Call } from "../call.ts";
import { keepBody } from "../delivery-body.ts";
import { bindingFor, type HookTarget, type KnownBinding } from "../hook-binding.ts";
import { fromRejection, invalid, problem, type Problem } from "../problem.ts";
import { done, type Outcome, type Router } from "../router.ts";
import { triggerNotFound, triggerObject } from "../trigger-object.ts";
import { countUnknown } from "../unknown-deliveries.ts";

const DEFAULT_TENANT = "default";

/** How often a delivery is verified again because the trigger was changed meanwhile. */
const MAX_TRIES = 4;

/** A refusal of a delivery, with the reason under which the trigger counts it. */
interface Refused {
  readonly reason: string;
  readonly problem: Problem;
}

type Attempt = { readonly outcome: Outcome<Receipt> } | { readonly refused: Refused } | "stale";

/** A trigger that does not exist has no object to count in: its deliveries are counted for the tenant, and logged. */
const unknownTrigger = (call: Call, target: HookTarget): Problem => {
  const line = { level: "warn", message: "a delivery for an unknown trigger", ...target };
  // oxlint-disable-next-line no-console -- the platform's log is where this is seen
  console.warn(JSON.stringify(line));
  const written = countUnknown(call.env.DB, target, Date.now());
  if (written !== null) call.waitUntil(written);
  return triggerNotFound(target.trigger_id);
};

const refused = (reason: string, refusal: Problem): Attempt => ({ refused: { reason, problem: refusal } });

/** Verifies, normalises and accepts a delivery under one binding (spec/triggers 19.1). */
const attempt = async (
  call: Call,
  target: HookTarget,
  binding: KnownBinding,
  request: Omit<SignedRequest, "secrets">,
): Promise<Attempt> => {
  const { definition, version } = binding;
  const connector = CONNECTORS[definition.provider];
  const { secrets, secrets_tag, secret_problem: missing } = binding;
  if (missing !== null) return refused("secret_missing", problem("unavailable", missing));
  const signed: SignedRequest = { ...request, secrets };
  const verified = await connector.verify(signed, definition);
  if (!verified.ok) return refused(verified.error.kind, problem("invalid_signature", verified.error.message));
  const challenge = connector.challenge?.(signed, definition) ?? null;
  if (challenge !== null) return { outcome: new Response(challenge, { headers: { "Content-Type": "text/plain" } }) };
  const event = await connector.normalise(signed, definition);
  if (!event.ok) {
    const path = event.error.kind === "missing_header" ? event.error.header : ".";
    return refused("invalid_payload", invalid([{ path, message: event.error.message }], event.error.message));
  }
  const { tenant, trigger_id: triggerId } = target;
  const kept = await keepBody(
    call.env,
    { tenant, days: definition.body_retention_days, content_type: request.headers["content-type"] },
    request.body,
  );
  const answer = await triggerObject(call.env, tenant, triggerId).accept({
    tenant,
    version,
    secrets_tag,
    event: event.value,
    ...kept,
  });
  if (answer === "stale") return "stale";
  if (!answer.ok) return { outcome: fromRejection(answer.rejection) };
  const { reply } = answer.reply;
  if (reply.type !== "receipt") return { outcome: problem("internal_error", "the trigger gave no receipt") };
  const { event_id, receipt, duplicate } = reply;
  if (!duplicate) call.waitUntil(indexEvent(call.env, tenant, answer.reply));
  return { outcome: done({ event_id, receipt, duplicate }, 202) };
};

const countRefusal = async (call: Call, target: HookTarget, { reason, problem: refusal }: Refused): Promise<void> => {
  try {
    await triggerObject(call.env, target.tenant, target.trigger_id).refuse(reason, refusal.detail);
  } catch {
    // The refusal stands whether it could be counted or not.
  }
};

const receive = async (call: Call, target: HookTarget): Promise<Outcome<Receipt>> => {
  const { tenant, trigger_id: triggerId } = target;
  // Nothing else can be the name of a trigger, so no object has to be asked.
  if (!tenantIdSchema.safeParse(tenant).success || !triggerIdSchema.safeParse(triggerId).success) {
    return triggerNotFound(triggerId);
  }
  const { request } = call;
  const incoming = {
    method: request.method,
    path: new URL(request.url).pathname,
    headers: lowerCaseHeaders(request.headers),
    now: Date.now(),
  };
  let body: Uint8Array | null = null;
  let isFresh = false;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const binding = await bindingFor(call.env, target, isFresh);
    if (binding === null) return unknownTrigger(call, target);
    if (body === null) {
      const read = await readBytes(request, binding.definition.max_body_bytes);
      if (!read.ok) {
        await countRefusal(call, target, { reason: "payload_too_large", problem: read.error });
        return read.error;
      }
      body = read.value;
    }
    const result = await attempt(call, target, binding, { ...incoming, body });
    if (result !== "stale" && "outcome" in result) return result.outcome;
    if (result !== "stale" && binding.is_fresh) {
      await countRefusal(call, target, result.refused);
      return result.refused.problem;
    }
    isFresh = true;
  }
  return problem("unavailable", "the trigger is being changed; deliver again");
};

const shared = {
  method: "post",
  tag: "Triggers",
  access: "open",
  reply: {
    status: 202,
    description: "The event is stored and will be handled",
    name: "Receipt",
    schema: receiptSchema,
  },
  problems: [
    "invalid_request",
    "invalid_signature",
    "trigger_not_found",
    "trigger_paused",
    "payload_too_large",
    "unavailable",
  ],
} as const;

const description =
  "Protected by the signature of the trigger's provider, not by an API key. A delivery that was taken in before gets the same receipt.";

/** The hooks: webhooks come in here (architecture 4, steps 1 to 3). The answer is sent after the event's commit. */
export const addHookRoutes = (router: Router): void => {
  router.add(
    {
      ...shared,
      path: "/hooks/{trigger_id}",
      operation: "deliver_webhook",
      summary: "Deliver a webhook to a trigger of the default tenant",
      description,
    },
    ({ params, call }) => receive(call, { tenant: DEFAULT_TENANT, trigger_id: params.trigger_id }),
  );
  router.add(
    {
      ...shared,
      path: "/hooks/{tenant}/{trigger_id}",
      operation: "deliver_tenant_webhook",
      summary: "Deliver a webhook to a trigger of a tenant",
      description,
    },
    ({ params, call }) => receive(call, params),
  );
};
