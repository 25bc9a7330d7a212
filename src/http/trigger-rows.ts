import type { TriggerReport, TriggerRow } from "../schema/trigger.ts";
import { fromDatabase } from "./fault.ts";

/** Brings the list up to date with a trigger, unless it knows a later change. */
export const storeTrigger = async (
  db: D1Database,
  tenant: string,
  { trigger, seq }: { readonly trigger: TriggerReport; readonly seq: number },
): Promise<void> => {
  const { trigger_id, source, definition, state, version, created_at, updated_at } = trigger;
  const statement = db
    .prepare(
      `INSERT INTO triggers (tenant, trigger_id, seq, provider, source, state, version, definition, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (tenant, trigger_id) DO UPDATE SET seq = excluded.seq, provider = excluded.provider,
       source = excluded.source, state = excluded.state, version = excluded.version, definition = excluded.definition,
       created_at = excluded.created_at, updated_at = excluded.updated_at WHERE excluded.seq > triggers.seq`,
    )
    .bind(
      tenant,
      trigger_id,
      seq,
      definition.provider,
      source,
      state,
      version,
      JSON.stringify(definition),
      created_at,
      updated_at,
    );
  await fromDatabase(statement.run());
};

/** Takes a deleted trigger off the list; its sequence goes on, should it be put again. */
export const forgetTrigger = async (db: D1Database, tenant: string, triggerId: string): Promise<void> => {
  const statement = db.prepare("DELETE FROM triggers WHERE tenant = ? AND trigger_id = ?").bind(tenant, triggerId);
  await fromDatabase(statement.run());
};

/** A tenant's triggers after an id, in the order of their ids. */
export const listTriggers = async (
  db: D1Database,
  tenant: string,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly TriggerRow[]> => {
  const { results } = await fromDatabase(
    db
      .prepare(
        `SELECT trigger_id, provider, state, version, definition, created_at, updated_at FROM triggers
         WHERE tenant = ? AND trigger_id > ? ORDER BY trigger_id LIMIT ?`,
      )
      .bind(tenant, page.after, page.limit)
      .all<Omit<TriggerRow, "definition"> & { readonly definition: string }>(),
  );
  return results.map((row) => ({ ...row, definition: JSON.parse(row.definition) as TriggerRow["definition"] }));
};

/** All of a tenant's triggers that a manifest put, in the order of their ids. */
export const listManifestTriggers = async (
  db: D1Database,
  tenant: string,
): Promise<readonly Pick<TriggerRow, "trigger_id" | "definition">[]> => {
  const { results } = await fromDatabase(
    db
      .prepare(
        "SELECT trigger_id, definition FROM triggers WHERE tenant = ? AND source = 'manifest' ORDER BY trigger_id",
      )
      .bind(tenant)
      .all<{ readonly trigger_id: string; readonly definition: string }>(),
  );
  return results.map((row) => ({ ...row, definition: JSON.parse(row.definition) as TriggerRow["definition"] }));
};
