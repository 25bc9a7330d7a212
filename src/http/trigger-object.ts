import type { BindingCopy } from "../../durable-objects/shell/binding-replica.ts";
import type { EventAddress, ReplayAsk } from "../../durable-objects/shell/event-inspection.ts";
import type { Judgement } from "../../durable-objects/shell/predicate-desk.ts";
import type { DeliveryBinding, TriggerPut } from "../../durable-objects/shell/trigger-owner.ts";
import type { Coordination, DispatchGiven } from "../../durable-objects/shell/trigger-requests.ts";
import type { Delivery, EventAnswer, ReplayAnswer } from "../../durable-objects/trigger.ts";
import type { Answer } from "../engine/machine.ts";
import type { BindingReply } from "../engine/trigger/binding.ts";
import type { ReplayReport } from "../engine/trigger/drift.ts";
import type { EventRecord, SettleDispatch } from "../engine/trigger/event.ts";
import type { LogRecord } from "../engine/trigger/log.ts";
import type { EventView } from "../schema/trigger-event.ts";
import type { ResealedSecret, SealedHandshake, SealedSecret } from "../schema/trigger-secret.ts";
import type { TriggerReport } from "../schema/trigger.ts";
import type { TriggerDefinition } from "../schema/trigger-definition.ts";
import type { Bindings } from "./call.ts";
import { problem, type Problem } from "./problem.ts";

/** What the API and the dispatch need of a trigger's object. */
export interface TriggerObject {
  readonly configure: (
    triggerId: string,
    definition: TriggerDefinition,
    put: TriggerPut,
  ) => Promise<Answer<BindingReply>>;
  readonly rotateSecret: (
    secret: SealedSecret,
    rotation: { readonly overlap_ms: number; readonly is_generated: boolean },
  ) => Promise<"rotated" | "referred" | "absent">;
  readonly resealSecrets: (secrets: readonly ResealedSecret[]) => Promise<void>;
  readonly control: (type: "pause" | "resume" | "delete") => Promise<Answer<BindingReply>>;
  readonly show: () => Promise<{ readonly trigger: TriggerReport; readonly seq: number } | null>;
  readonly binding: () => Promise<DeliveryBinding | null>;
  readonly copyFor: (shard: number, tenant: string) => Promise<BindingCopy | null>;
  readonly adopt: (copy: BindingCopy) => Promise<void>;
  readonly coordinate: (ticket: string, record: EventRecord, judgement?: Judgement) => Promise<Coordination>;
  readonly leave: (ticket: string) => Promise<void>;
  readonly accept: (delivery: Delivery) => Promise<Answer<EventAnswer> | "stale">;
  readonly acceptInShard: (delivery: Delivery) => Promise<Answer<EventAnswer> | "stale" | "behind">;
  readonly keepHandshake: (handshake: SealedHandshake) => Promise<void>;
  readonly handshake: () => Promise<SealedHandshake | null>;
  readonly refuse: (reason: string, message: string) => Promise<void>;
  readonly dispatch: (key: string, given?: DispatchGiven) => Promise<Answer<EventAnswer>>;
  readonly settle: (key: string, report: Omit<SettleDispatch, "type">) => Promise<Answer<EventAnswer>>;
  readonly cancel: (
    key: string,
    by: { readonly requested_by: string | null; readonly audit_id: string | null; readonly reason?: string },
  ) => Promise<Answer<EventAnswer>>;
  readonly isCancelled: (key: string) => Promise<boolean>;
  readonly respond: (
    key: string,
    response: { readonly approved: boolean; readonly reviewer: string | null; readonly reason: string | null },
  ) => Promise<Answer<EventAnswer>>;
  readonly replay: (address: EventAddress, ask: ReplayAsk) => Promise<Answer<ReplayAnswer>>;
  readonly replayOf: (
    address: EventAddress & { readonly replay: number },
  ) => Promise<{ readonly record: EventView; readonly report: ReplayReport } | null>;
  readonly log: (address: EventAddress) => Promise<readonly LogRecord[] | null>;
  readonly discard: (key: string, dlqId: string, why?: { readonly reason?: string }) => Promise<Answer<EventAnswer>>;
  readonly event: (key: string, eventId: string) => Promise<EventView | null>;
  readonly recover: () => Promise<void>;
}

/** A stub of a trigger, or of one of its shards; ask again after every fault, a stub of a reset object stays broken. */
export const triggerObject = (
  env: Pick<Bindings, "TRIGGER">,
  tenant: string,
  triggerId: string,
  shard: number | null = null,
): TriggerObject => {
  const name = shard === null ? `${tenant}/${triggerId}` : `${tenant}/${triggerId}/${shard}`;
  return env.TRIGGER.getByName(name) as unknown as TriggerObject;
};

/** The refusal for a trigger that the tenant does not have. */
export const triggerNotFound = (triggerId: string): Problem =>
  problem("trigger_not_found", `unknown trigger id '${triggerId}'`);
