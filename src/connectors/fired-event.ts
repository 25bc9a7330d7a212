import type { Json, JsonObject } from "../lib/json.ts";
import type { Timestamp } from "../lib/time.ts";
import { triggerKindOf } from "../lib/trigger-kind.ts";
import type { StoredDefinition } from "../schema/trigger-definition.ts";
import type { NormalisedEvent } from "../schema/trigger.ts";
import { redactHeaders } from "./headers.ts";
import { normalizePayload } from "./payload.ts";

/** What an event is fired with; the rest follows from the trigger (spec/triggers 22.5). */
export interface Firing {
  readonly kind?: string | undefined;
  readonly payload?: Json | undefined;
  readonly dedupe_key?: string | undefined;
  readonly occurred_at?: string | null | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Kinds of events by what kind of trigger it is, where the trigger names none (spec/triggers 22.2). */
const DEFAULT_KINDS: Readonly<Record<string, string>> = {
  webhook: "webhook",
  cron: "cron.tick",
  poll: "poll",
  stream: "stream",
  predicate: "predicate",
  "a2a-push": "a2a.task.received",
};

/** The kind of an event that is fired without one. */
export const firedKind = (definition: Pick<StoredDefinition, "provider" | "kind" | "match">): string => {
  const of = triggerKindOf(definition);
  return definition.match.events?.[0] ?? DEFAULT_KINDS[of] ?? of;
};

const payloadOf = (provider: string, firing: Firing & { readonly kind: string }, now: Timestamp): JsonObject => {
  const { kind, payload: raw = {} } = firing;
  // GitHub's typed form is told apart by the bare event.
  const [event = kind] = provider === "github" ? kind.split(".") : [kind];
  const typed = normalizePayload(provider, { kind: event, headers: firing.headers ?? {}, raw, now });
  if (!typed.ok) return { provider, schema_name: "TriggerEvent", raw };
  if (provider !== "webhook") return typed.value;
  const { source, content_type } = typed.value;
  return { ...typed.value, source: source ?? "trigger_fire", content_type: content_type ?? "application/json" };
};

/** An event that somebody fires by hand, in the common form; `id` makes its dedupe key unique (spec/triggers 22.5). */
export const firedEvent = (
  definition: Pick<StoredDefinition, "provider" | "kind" | "match">,
  firing: Firing,
  { id, now }: { readonly id: string; readonly now: Timestamp },
): NormalisedEvent => {
  const { provider } = definition;
  const kind = firing.kind ?? firedKind(definition);
  return {
    provider,
    kind,
    occurred_at: firing.occurred_at ?? null,
    dedupe_key: firing.dedupe_key ?? `synthetic:${provider}:${kind}:${id}`,
    headers: redactHeaders(firing.headers ?? {}),
    provider_payload: payloadOf(provider, { ...firing, kind }, now),
    signature_status: { state: "unsigned" },
  };
};
