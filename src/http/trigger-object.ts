import type { Answer } from "../engine/machine.ts";
import type { Delivery, DeliveryBinding, EventAnswer, ReplayAnswer } from "../../durable-objects/trigger.ts";
import type { EventAddress, ReplayAsk } from "../../durable-objects/shell/event-inspection.ts";
import type { DispatchGiven } from "../../durable-objects/shell/trigger-shell.ts";
import type { BindingReply } from "../engine/trigger/binding.ts";
import type { BindingSource } from "../engine/trigger/binding-version.ts";
import type { ReplayReport } from "../engine/trigger/drift.ts";
import type { SettleDispatch } from "../engine/trigger/event.ts";
import type { LogRecord } from "../engine/trigger/log.ts";
import type { EventView } from "../schema/trigger-event.ts";
import type { ResealedSecret, SealedSecret } from "../schema/trigger-secret.ts";
import type { TriggerReport } from "../schema/trigger.ts";
import type { TriggerDefinition } from "../schema/trigger-definition.ts";
import type { Bindings } from "./call.ts";
import { problem, type Problem } from "./problem.ts";

/** What the API and the dispatch need of a trigger's object. */
export interface TriggerObject {
  readonly configure: (
    triggerId: string,
    definition: TriggerDefinition,
    put: { readonly source: BindingSource; readonly secret: SealedSecret | null },
  ) => Promise<Answer<BindingReply>>;
  readonly rotateSecret: (
    secret: SealedSecret,
    rotation: { readonly overlap_ms: number; readonly is_generated: boolean },
  ) => Promise<"rotated" | "referred" | "absent">;
  readonly resealSecrets: (secrets: readonly ResealedSecret[]) => Promise<void>;
  readonly control: (type: "pause" | "resume" | "delete") => Promise<Answer<BindingReply>>;
  readonly show: () => Promise<{ readonly trigger: TriggerReport; readonly seq: number } | null>;
  readonly binding: () => Promise<DeliveryBinding | null>;
  readonly accept: (delivery: Delivery) => Promise<Answer<EventAnswer> | "stale">;
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

/** A stub of a trigger; ask again after every fault, a stub of a reset object stays broken. */
export const triggerObject = (env: Pick<Bindings, "TRIGGER">, tenant: string, triggerId: string): TriggerObject =>
  env.TRIGGER.getByName(`${tenant}/${triggerId}`) as unknown as TriggerObject;

/** The refusal for a trigger that the tenant does not have. */
export const triggerNotFound = (triggerId: string): Problem =>
  problem("trigger_not_found", `unknown trigger id '${triggerId}'`);
