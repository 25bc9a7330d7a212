import type { EventRecord } from "../../src/engine/trigger/event.ts";

/** A hint that an event waits for its dispatch; the event itself stays in its object (architecture 4, step 4). */
export interface DispatchMessage {
  readonly v: 1;
  readonly tenant: string;
  readonly trigger_id: string;
  readonly event_id: string;
  /** The key of the event's row: its dedupe key, or the key of a replay. */
  readonly dedupe_key: string;
  /** The object that holds it, where the trigger has several. */
  readonly shard?: number;
}

/** What the outbox holds: an event that is open, or one that somebody has yet to be told of. */
export type HeldMessage = OpenMessage | EndedMessage;

/** An event that is open, with the version that handles it. */
export type OpenMessage = DispatchMessage & { readonly version: number };

/** An event that is over, which somebody has to be told of once more. */
export interface EndedMessage {
  readonly v: 1;
  readonly id: string;
  /** The key of its row, for the list of events. */
  readonly listed?: string;
  /** Its ticket at the object that coordinates the shards of the trigger. */
  readonly left?: string;
}

/** Whether a message asks for a dispatch. */
export const isOpen = (message: HeldMessage): message is OpenMessage => "event_id" in message;

/** The id of an event's row in the outbox. */
export const outboxId = (record: EventRecord): string =>
  record.replay === null ? record.event.id : `${record.event.id}#${record.replay.number}`;

/** The message that an open event is looked after with. */
export const messageFor = ({ event, binding }: EventRecord, key: string, shard: number | null): OpenMessage => ({
  v: 1,
  tenant: event.tenant_id ?? "",
  trigger_id: binding.trigger_id,
  event_id: event.id,
  dedupe_key: key,
  version: binding.version,
  ...(shard === null ? {} : { shard }),
});
