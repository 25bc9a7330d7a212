import type { PutWorkerWebhook } from "../schema/worker-webhook.ts";

/** Where the events of a tenant's workers go. */
export interface TenantWebhook {
  readonly url: string;
  /** null for every event. */
  readonly events: PutWorkerWebhook["events"];
  readonly headers: Readonly<Record<string, string>>;
  /** The secret as it is kept; null for none. */
  readonly sealed: string | null;
  readonly updated_at: string;
}

interface Row {
  readonly url: string;
  readonly events: string;
  readonly headers: string;
  readonly sealed: string | null;
  readonly updated_at: string;
}

/** The webhook of a tenant; null for none. */
export const findTenantWebhook = async (db: D1Database, tenant: string): Promise<TenantWebhook | null> => {
  const row = await db
    .prepare("SELECT url, events, headers, sealed, updated_at FROM worker_webhooks WHERE tenant = ?")
    .bind(tenant)
    .first<Row>();
  if (row === null) return null;
  return {
    ...row,
    events: JSON.parse(row.events) as TenantWebhook["events"],
    headers: JSON.parse(row.headers) as TenantWebhook["headers"],
  };
};
