import type { JsonObject } from "../../lib/json.ts";
import { stableUuid } from "../../lib/stable-uuid.ts";
import { unixSeconds } from "../../lib/time.ts";
import type { TriggerEvent } from "../../schema/trigger.ts";
import type { CapabilityPolicy } from "../../schema/policy.ts";
import { tierCeiling } from "./predicate/autonomy.ts";
import { autonomyTierOf } from "./predicate/limits.ts";
import type { BindingSnapshot } from "./binding.ts";
import type { EventRecord } from "./event.ts";
import type { Handler } from "./handler.ts";
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
  /** What the autonomy tier of the trigger lets its runs do at most; null where it lets them do everything. */
  readonly ceiling: CapabilityPolicy | null;
  /** The envelope without the bytes as received; it may nest deeper than options may. */
  readonly trigger_event: JsonObject;
  readonly dispatch: DispatchContext;
}

/** The id of the dispatch of an event by a version of a trigger: the idempotency key of its handler. Replays count from 1. */
export const dispatchIdFor = (binding: BindingSnapshot, eventId: string, replay = 0): string => {
  const parts = [binding.trigger_id, binding.version, eventId];
  return `dispatch_${stableUuid(JSON.stringify(replay === 0 ? parts : [...parts, replay]))}`;
};

/** The id of a run of a dispatch: the same one until a run of it has ended, however often it is asked to start. */
export const runIdFor = (dispatchId: string, endedRuns = 0): string =>
  stableUuid(endedRuns === 0 ? `run:${dispatchId}` : `run:${dispatchId}:${endedRuns}`);

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

/** Where the end of a run is reported, for a dispatch that is over when its run is. */
export interface RunSettlement {
  readonly trigger_id: string;
  /** The object that holds the event, where the trigger has several. */
  readonly shard?: number | undefined;
  /** The key of the event's row. */
  readonly key: string;
  readonly dispatch_id: string;
  readonly attempt: number;
}

/** What a run follows from. */
export type RunSource = Pick<EventRecord, "event" | "binding" | "dispatch_id" | "run_id" | "replay">;

/** The request that creates a run; a function of the event and the version that handles it, and nothing else. */
export const runRequestFor = (
  source: RunSource,
  handler: Extract<Handler, { readonly kind: "workflow" }>,
): RunRequest => {
  const { event, binding, replay } = source;
  const { trigger_id, version } = binding;
  const tier = autonomyTierOf(binding.definition);
  const dispatch_id = source.dispatch_id ?? dispatchIdFor(binding, event.id, replay?.number ?? 0);
  const { raw_body: _bytes, ...envelope } = event;
  const members = event.batch === undefined ? [event] : (event.batch as unknown as readonly TriggerEvent[]);
  const replayed = replay === null ? {} : { replay_of_event_id: replay.event_id };
  return {
    run_id: source.run_id ?? runIdFor(dispatch_id),
    workflow_id: handler.workflow,
    version: handler.version,
    task: taskFor(handler.task, event),
    artifacts: members.map((one) => payloadArtifact(one, binding)),
    options: { ...handler.options, ...replayed, trigger_id },
    ceiling: tier === "act_auto" ? null : tierCeiling(tier),
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
