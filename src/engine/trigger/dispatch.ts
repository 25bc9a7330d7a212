import type { JsonObject } from "../../lib/json.ts";
import { stableUuid } from "../../lib/stable-uuid.ts";
import { unixSeconds } from "../../lib/time.ts";
import type { TriggerEvent } from "../../schema/trigger.ts";
import type { BindingSnapshot } from "./binding.ts";
import { taskFor } from "./task.ts";

/** Where a run comes from. It is the same for every attempt, so that creating the run twice is the same request. */
export interface DispatchContext {
  readonly dispatch_id: string;
  readonly trigger_id: string;
  readonly binding_version: number;
  /** `<trigger id>@v<version>` (spec/triggers 6.1). */
  readonly binding_key: string;
  readonly event_id: string;
  readonly dedupe_key: string;
  readonly trace_id: string;
  readonly tenant_id: string | null;
}

/** The event's payload as evidence for the run; fields that are not here get their defaults from normalisation. */
export interface PayloadArtifact {
  readonly _type: "artifact";
  readonly id: string;
  readonly kind: "provider_payload";
  readonly title: string;
  readonly text: string;
  readonly data: JsonObject;
  readonly source: string;
  readonly created_at: string;
  readonly freshness: "fresh";
  readonly metadata: JsonObject;
}

/** Everything a run needs to be created. */
export interface RunRequest {
  readonly run_id: string;
  readonly workflow_id: string;
  /** null: the newest version. */
  readonly version: number | null;
  readonly task: string;
  readonly artifacts: readonly PayloadArtifact[];
  readonly options: JsonObject;
  /** The envelope without the bytes as received; it may nest deeper than options may. */
  readonly trigger_event: JsonObject;
  readonly dispatch: DispatchContext;
}

/** The id of the dispatch of an event by a version of a trigger: the idempotency key of its run. */
export const dispatchIdFor = (binding: BindingSnapshot, eventId: string): string =>
  `dispatch_${stableUuid(JSON.stringify([binding.trigger_id, binding.version, eventId]))}`;

/** The id of the run of a dispatch; the same dispatch always names the same run. */
export const runIdFor = (dispatchId: string): string => stableUuid(`run:${dispatchId}`);

const payloadArtifact = (event: TriggerEvent, binding: BindingSnapshot): PayloadArtifact => ({
  _type: "artifact",
  id: `artifact_${stableUuid(`payload:${event.id}`)}`,
  kind: "provider_payload",
  title: `${event.provider} ${event.kind}`,
  text: JSON.stringify(event.provider_payload["raw"] ?? null),
  data: event.provider_payload,
  source: binding.trigger_id,
  created_at: unixSeconds(Date.parse(event.received_at)),
  freshness: "fresh",
  metadata: { trigger_id: binding.trigger_id, event_id: event.id, dedupe_key: event.dedupe_key },
});

/** The request that creates an event's run; a function of the event and the version that accepted it, and nothing else. */
export const runRequestFor = (event: TriggerEvent, binding: BindingSnapshot): RunRequest => {
  const { trigger_id, version } = binding;
  const { handler } = binding.definition;
  const dispatch_id = dispatchIdFor(binding, event.id);
  const { raw_body: _bytes, ...envelope } = event;
  return {
    run_id: runIdFor(dispatch_id),
    workflow_id: handler.workflow,
    version: handler.version ?? null,
    task: taskFor(handler.task, event),
    artifacts: [payloadArtifact(event, binding)],
    options: { ...handler.options, trigger_id },
    trigger_event: envelope as unknown as JsonObject,
    dispatch: {
      dispatch_id,
      trigger_id,
      binding_version: version,
      binding_key: `${trigger_id}@v${version}`,
      event_id: event.id,
      dedupe_key: event.dedupe_key,
      trace_id: event.trace_id,
      tenant_id: event.tenant_id,
    },
  };
};
