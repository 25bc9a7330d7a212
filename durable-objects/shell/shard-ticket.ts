import type { DispatchMessage } from "./trigger-messages.ts";

/** Nothing of a delivery can begin with it, so that a ticket of a shard is never taken for the key of an event here. */
const MARK = "\u0002";

/** An event of a shard, as the object that coordinates the shards knows it. */
export interface ShardTicket {
  readonly shard: number;
  readonly tenant: string;
  readonly event_id: string;
  readonly key: string;
}

/** The name of an event of a shard. */
export const ticketText = ({ shard, tenant, event_id, key }: ShardTicket): string =>
  [MARK, shard, MARK, tenant, MARK, event_id, MARK, key].join("");

/** The event that a ticket is for; null for an event of the object itself. */
export const parseTicket = (text: string): ShardTicket | null => {
  if (!text.startsWith(MARK)) return null;
  const [, shard = "", tenant = "", event_id = "", ...key] = text.split(MARK);
  return { shard: Number(shard), tenant, event_id, key: key.join(MARK) };
};

/** The message that has the event of a ticket go on. */
export const ticketMessage = (ticket: ShardTicket, trigger_id: string): DispatchMessage => ({
  v: 1,
  tenant: ticket.tenant,
  trigger_id,
  event_id: ticket.event_id,
  dedupe_key: ticket.key,
  shard: ticket.shard,
});
