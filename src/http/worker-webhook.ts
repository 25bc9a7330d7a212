import { err, ok, type Result } from "../lib/result.ts";
import type { TenantWebhook } from "../ports/worker-webhook.ts";
import type { Bindings } from "./call.ts";
import { fromDatabase } from "./fault.ts";
import { openSecret, readMasterKeys, type SecretOwner } from "./sealing.ts";

/** The owner that the secret is sealed for: no trigger can have this id. */
export const webhookOwner = (tenant: string): SecretOwner => ({ tenant, trigger_id: "/worker_webhook" });

/** Puts the webhook of a tenant in the place of the one before. */
export const storeTenantWebhook = async (db: D1Database, tenant: string, webhook: TenantWebhook): Promise<void> => {
  const { url, events, headers, sealed, updated_at } = webhook;
  const statement = db
    .prepare(
      `INSERT INTO worker_webhooks (tenant, url, events, headers, sealed, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
       ON CONFLICT (tenant) DO UPDATE SET url = excluded.url, events = excluded.events, headers = excluded.headers,
       sealed = excluded.sealed, updated_at = excluded.updated_at`,
    )
    .bind(tenant, url, JSON.stringify(events), JSON.stringify(headers), sealed, updated_at);
  await fromDatabase(statement.run());
};

/** Takes the webhook of a tenant away. */
export const deleteTenantWebhook = async (db: D1Database, tenant: string): Promise<void> => {
  await fromDatabase(db.prepare("DELETE FROM worker_webhooks WHERE tenant = ?").bind(tenant).run());
};

/** The secret of a tenant's webhook, opened; or why it cannot be. */
export const openTenantSecret = async (
  env: Pick<Bindings, "GODWIT_MASTER_KEY">,
  tenant: string,
  sealed: string,
): Promise<Result<string, string>> => {
  const keys = await readMasterKeys(env.GODWIT_MASTER_KEY);
  if (!keys.ok) return keys;
  const secret = await openSecret(keys.value, webhookOwner(tenant), sealed);
  return secret === null
    ? err("the secret of the webhook cannot be opened: its key is not in GODWIT_MASTER_KEY; put the webhook again")
    : ok(secret);
};
