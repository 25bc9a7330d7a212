import { lowerCaseHeaders } from "../connectors/headers.ts";
import { textAnswer } from "../connectors/harn-answer.ts";
import { IngestBuckets } from "../connectors/ingest-bucket.ts";
import type { SignedRequest } from "../connectors/connector.ts";
import { receive, type ReceivePorts } from "../connectors/receive.ts";
import { connectorFor } from "../connectors/registry.ts";
import { indexEvent } from "../queue/index-events.ts";
import { tenantIdSchema } from "../schema/api-key.ts";
import { requiredSecret } from "../schema/trigger-auth.ts";
import { triggerIdSchema } from "../schema/trigger-definition.ts";
import { pathOf } from "../schema/trigger-path.ts";
import type { Receipt } from "../schema/trigger.ts";
import { MetricBuffer } from "../queue/metric-buffer.ts";
import { TriggerMoments } from "../queue/trigger-metrics.ts";
import { readBytes } from "./body.ts";
import type { Call } from "./call.ts";
import { keepBody } from "./delivery-body.ts";
import { bindingFor, type HookTarget, type KnownBinding } from "./hook-binding.ts";
import { hookOutcome, immediateResponse, originIsAllowed, withHeaders } from "./hook-answer.ts";
import { jwksSource } from "./jwks.ts";
import { fromRejection, problem, type Problem, problemType } from "./problem.ts";
import type { Outcome } from "./router.ts";
import { sealFor } from "./trigger-secrets.ts";
import { acceptEvent } from "./trigger-shards.ts";
import { triggerNotFound, triggerObject } from "./trigger-object.ts";
import { countUnknown } from "./unknown-deliveries.ts";

/** How often a delivery is verified again because the trigger was changed meanwhile. */
const MAX_TRIES = 4;

/** A delivery on its way: what does not change when the trigger has to be asked again. */
interface Delivered {
  readonly call: Call;
  readonly target: HookTarget;
  readonly request: Omit<SignedRequest, "secrets" | "content">;
  readonly metrics: MetricBuffer;
}

const momentsOf = (
  metrics: MetricBuffer,
  { tenant, trigger_id }: HookTarget,
  { version, definition: { provider } }: KnownBinding,
): TriggerMoments => new TriggerMoments(metrics.for(tenant), { tenant, trigger_id, version, provider });

/** What is known of a delivery before its body is read. */
interface Arriving {
  readonly target: HookTarget;
  readonly headers: Readonly<Record<string, string>>;
  readonly now: number;
}

/** The end of an attempt: an answer, with the reason to count it under when it is a refusal of the delivery. */
interface Attempt {
  readonly outcome: Outcome<Receipt>;
  readonly refusal?: { readonly reason: string; readonly message: string };
  /** Whether a newer definition could not change it: what was read or taken cannot be read or taken again. */
  readonly is_final?: boolean;
}

// Of this isolate: a limit for each trigger that every isolate applies for itself (spec/triggers 20.4).
const buckets = new IngestBuckets();

/** A trigger that does not exist, or not there, has no object to count in: its deliveries are counted for the tenant, and logged. */
export const unknownTrigger = (call: Call, target: HookTarget): Problem => {
  const line = { level: "warn", message: "a delivery for an unknown trigger", ...target };
  // oxlint-disable-next-line no-console -- the platform's log is where this is seen
  console.warn(JSON.stringify(line));
  const written = countUnknown(call.env.DB, target, Date.now());
  if (written !== null) call.waitUntil(written);
  return triggerNotFound(target.trigger_id);
};

/** A refusal that every provider gets alike; the original answers with its text alone. */
const refused = (reason: string, refusal: Problem, binding: KnownBinding): Attempt => {
  const { definition } = binding;
  const connector = connectorFor(definition.provider);
  const given = connector.ok ? withHeaders(refusal, connector.value) : refusal;
  const { status } = problemType(refusal.code);
  const outcome =
    definition.compatibility === "harn" ? immediateResponse(textAnswer(status, refusal.detail, given.headers)) : given;
  return { outcome, refusal: { reason, message: refusal.detail } };
};

/** Why a delivery is not looked at, or null (spec/triggers 20.2, 20.4). */
const turnedAway = (from: Arriving, binding: KnownBinding): Attempt | null => {
  const { allowed_origins: allowed, ingest_per_minute: limit } = binding.definition;
  const { target, now } = from;
  const { origin } = from.headers;
  if (!originIsAllowed(origin, allowed))
    return refused(
      "forbidden",
      problem("forbidden", `origin '${(origin ?? "").slice(0, 200)}' is not allowed`),
      binding,
    );
  if (limit === undefined) return null;
  const seconds = buckets.take(`${target.tenant}/${target.trigger_id}`, limit, now);
  if (seconds === null) return null;
  const saturated = { ...problem("unavailable", "ingest saturated"), headers: { "Retry-After": String(seconds) } };
  // Not counted: what is turned away here must not reach the trigger's object in another way.
  return { outcome: refused("ingest_saturated", saturated, binding).outcome };
};

type Opened = { readonly body: Uint8Array } | { readonly turned_away: Attempt };

/** Reads the body of a delivery that is not turned away before. */
const open = async (call: Call, from: Arriving, binding: KnownBinding): Promise<Opened> => {
  const away = turnedAway(from, binding);
  if (away !== null) return { turned_away: away };
  const read = await readBytes(call.request, binding.definition.max_body_bytes);
  if (read.ok) return { body: read.value };
  return { turned_away: { ...refused("payload_too_large", read.error, binding), is_final: true } };
};

const portsOf = (
  { call, target, request, metrics }: Delivered,
  binding: KnownBinding,
): ReceivePorts<Receipt, Problem> => {
  const { definition, version, seq, secrets_tag } = binding;
  const moments = momentsOf(metrics, target, binding);
  const object = triggerObject(call.env, target.tenant, target.trigger_id);
  return {
    keys: jwksSource(call.env.GODWIT_ALLOW_PRIVATE_HOSTS),
    accept: async ({ event, raw, claim_ttl_ms }) => {
      const { body_retention_days: days } = definition;
      const from = { tenant: target.tenant, days, content_type: request.headers["content-type"] };
      const bytes = raw === null ? {} : await keepBody(call.env, from, raw);
      const delivery = { version, seq, secrets_tag, event, claim_ttl_ms, ...bytes };
      const answer = await acceptEvent(call.env, { ...target, definition }, delivery);
      if (answer === "stale") return { type: "stale" };
      // It was deleted a moment ago, and another trigger may have its path by now.
      if (!answer.ok && answer.rejection.code === "trigger_not_found") return { type: "stale" };
      if (!answer.ok) return { type: "refused", refusal: fromRejection(answer.rejection) };
      const { reply } = answer.reply;
      if (reply?.type !== "receipt")
        return { type: "refused", refusal: problem("internal_error", "the trigger gave no receipt") };
      const { event_id, receipt, duplicate } = reply;
      const seconds = (Date.now() - request.now) / 1_000;
      moments.received(seconds);
      if (duplicate) moments.duplicate();
      else moments.stored(seconds);
      if (!duplicate)
        call.waitUntil(indexEvent(call.env, target.tenant, answer.reply, { metrics: metrics.take(target.tenant) }));
      return { type: "accepted", receipt: { event_id, receipt, duplicate }, duplicate };
    },
    keepHandshake: async ({ verification_token: token, captured_at }) => {
      const sealed = await sealFor(call.env, target, token);
      if (sealed.ok) await object.keepHandshake({ sealed: sealed.value.sealed, captured_at });
    },
    audit: (rejection) => {
      // What a remembered binding refuses is verified again under the one that is valid now, and told once.
      if (!binding.is_fresh) return;
      const line = { level: "warn", message: "signature_rejected", topic: "audit.signature_verify", ...target };
      // oxlint-disable-next-line no-console -- the platform's log is where this is seen
      console.warn(JSON.stringify({ ...line, path: request.path, rejection }));
    },
  };
};

/** Verifies, normalises and accepts a delivery under one binding (spec/triggers 19.1). */
const attempt = async (delivered: Delivered, binding: KnownBinding): Promise<Attempt | "stale"> => {
  const { definition } = binding;
  const connector = connectorFor(definition.provider);
  if (!connector.ok) return refused("unsupported", problem("invalid_request", connector.error.message), binding);
  const { secrets, secret_problem: missing } = binding;
  if (missing !== null && requiredSecret(definition) !== null)
    return refused("secret_missing", problem("unavailable", missing), binding);
  // Whatever is taken in without a secret is so under the newest definition only.
  if (secrets.length === 0 && !binding.is_fresh) return "stale";
  const { trigger_id } = delivered.target;
  const incoming = {
    request: { ...delivered.request, secrets },
    connector: connector.value,
    binding: { ...definition, id: trigger_id },
    max_bytes: definition.max_body_bytes,
  };
  const reception = await receive(incoming, portsOf(delivered, binding));
  if (reception.type === "stale") return "stale";
  const outcome = hookOutcome(reception, {
    connector: connector.value,
    trigger_id,
    harn: definition.compatibility === "harn",
  });
  if (reception.type !== "invalid") return { outcome };
  const { error, stage } = reception;
  const reason = error.kind === "activation" ? "secret_missing" : stage === "payload" ? "invalid_payload" : error.kind;
  return { outcome, refusal: { reason, message: error.message } };
};

const countRefusal = async (
  call: Call,
  target: HookTarget,
  { reason, message }: NonNullable<Attempt["refusal"]>,
): Promise<void> => {
  try {
    await triggerObject(call.env, target.tenant, target.trigger_id).refuse(reason, message);
  } catch {
    // The refusal stands whether it could be counted or not.
  }
};

/**
 * Delivers to a trigger at a path (spec/triggers 20.1), or at its hook without one; `absent` when there is no such
 * trigger, or when it has another path.
 */
export const deliverAt = async (
  call: Call,
  target: HookTarget,
  at: string | null,
): Promise<Outcome<Receipt> | "absent"> => {
  const { tenant, trigger_id: triggerId } = target;
  // Nothing else can be the name of a trigger, so no object has to be asked.
  if (!tenantIdSchema.safeParse(tenant).success || !triggerIdSchema.safeParse(triggerId).success) {
    return triggerNotFound(triggerId);
  }
  const { request } = call;
  const { method } = request;
  const path = new URL(request.url).pathname;
  const incoming = { method, path, headers: lowerCaseHeaders(request.headers), now: Date.now() };
  const metrics = new MetricBuffer(call.env);
  let body: Uint8Array | null = null;
  let isFresh = false;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const binding = await bindingFor(call.env, target, isFresh);
    if (binding === null) return "absent";
    if (at !== null && pathOf(triggerId, binding.definition) !== at) {
      if (binding.is_fresh) return "absent";
      isFresh = true;
      continue;
    }
    const opened: Opened = body === null ? await open(call, { target, ...incoming }, binding) : { body };
    if ("body" in opened) body = opened.body;
    const result =
      "body" in opened
        ? await attempt({ call, target, request: { ...incoming, body: opened.body }, metrics }, binding)
        : opened.turned_away;
    if (result !== "stale") {
      const { outcome, refusal, is_final: isFinal = false } = result;
      const isRefused = refusal !== undefined;
      if (!isRefused || binding.is_fresh || isFinal) {
        const moments = momentsOf(metrics, target, binding);
        if (isRefused) moments.rejected(refusal.reason);
        call.waitUntil(isRefused ? metrics.rest(Date.now()) : metrics.flush());
        if (isRefused) await countRefusal(call, target, refusal);
        return outcome;
      }
    }
    isFresh = true;
  }
  return problem("unavailable", "the trigger is being changed; deliver again");
};

/** Delivers to a trigger at the address of its hook (architecture 4, steps 1 to 3). */
export const deliver = async (call: Call, target: HookTarget): Promise<Outcome<Receipt>> => {
  const outcome = await deliverAt(call, target, null);
  return outcome === "absent" ? unknownTrigger(call, target) : outcome;
};
