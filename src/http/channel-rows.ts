import { fromDatabase } from "./fault.ts";

/** A suspended worker that listens on a channel. */
export interface ChannelListener {
  readonly tenant: string;
  readonly channel: string;
  readonly listener_id: string;
  readonly worker_id: string;
  readonly suspended_at: string;
}

/** Notes who listens on a channel; noting it twice is the same. */
export const storeListener = async (db: D1Database, listener: ChannelListener): Promise<void> => {
  const { tenant, channel, listener_id, worker_id, suspended_at } = listener;
  const sql =
    "INSERT INTO channel_listeners (tenant, channel, listener_id, worker_id, suspended_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
  await fromDatabase(db.prepare(sql).bind(tenant, channel, listener_id, worker_id, suspended_at).run());
};

/** Forgets a listener; forgetting it twice is the same. */
export const forgetListener = async (
  db: D1Database,
  { tenant, channel, listener_id }: Pick<ChannelListener, "tenant" | "channel" | "listener_id">,
): Promise<void> => {
  const sql = "DELETE FROM channel_listeners WHERE tenant = ? AND channel = ? AND listener_id = ?";
  await fromDatabase(db.prepare(sql).bind(tenant, channel, listener_id).run());
};

/** Who listens on a channel, in the order of their ids, after one. */
export const listListeners = async (
  db: D1Database,
  { tenant, channel, after }: { readonly tenant: string; readonly channel: string; readonly after: string },
  limit: number,
): Promise<readonly ChannelListener[]> => {
  const sql =
    "SELECT tenant, channel, listener_id, worker_id, suspended_at FROM channel_listeners WHERE tenant = ? AND channel = ? AND listener_id > ? ORDER BY listener_id LIMIT ?";
  const { results } = await fromDatabase(db.prepare(sql).bind(tenant, channel, after, limit).all<ChannelListener>());
  return results;
};
