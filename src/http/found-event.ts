import { err, ok, type Result } from "../lib/result.ts";
import type { EventRow } from "../schema/trigger-event.ts";
import type { Call } from "./call.ts";
import { problem, type Problem } from "./problem.ts";
import { findRecentEvent } from "./recent-event.ts";
import { type TriggerObject, triggerObject } from "./trigger-object.ts";

/** An event that the list knows, and the object that has it. */
export interface FoundEvent {
  readonly row: EventRow;
  /** Its address in the object. */
  readonly address: { readonly key: string; readonly event_id: string };
  /** Asked for again after every fault. */
  readonly object: () => TriggerObject;
}

/** The refusal for an event that the tenant does not have. */
export const eventNotFound = (eventId: string, why = ""): Problem =>
  problem("event_not_found", `there is no event ${eventId}${why}`);

/** Where an event of the tenant lies. */
export const foundEvent = async (
  call: Pick<Call, "env" | "tenant">,
  eventId: string,
): Promise<Result<FoundEvent, Problem>> => {
  const row = await findRecentEvent(call, eventId);
  if (row === null) return err(eventNotFound(eventId));
  return ok({
    row,
    address: { key: row.dedupe_key, event_id: eventId },
    object: () => triggerObject(call.env, call.tenant, row.trigger_id, row.shard),
  });
};

/** The refusal for an event that the list knows and its trigger does not any more. */
export const eventReplaced = (eventId: string): Problem =>
  eventNotFound(eventId, "; its dedupe key has expired and belongs to a later event");
