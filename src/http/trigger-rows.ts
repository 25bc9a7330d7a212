import { uuidIds } from "../ports/ids.ts";
import type { TriggerReport, TriggerRow } from "../schema/trigger.ts";
import { fromDatabase } from "./fault.ts";
import { forgetKnownPaths } from "./path-lookup.ts";
import { forgetPathsStatement, pathStatements } from "./path-rows.ts";

/**
 * Brings the list and the table of paths up to date with a trigger, unless they know a later change. Answers whether its
 * path is its own: false when somebody else has got it in the meantime.
 */
export const storeTrigger = async (
  db: D1Database,
  tenant: string,
  { trigger, seq }: { readonly trigger: TriggerReport; readonly seq: number },
): Promise<boolean> => {
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
  const { path = null } = definition;
  const paths = pathStatements(db, { tenant, trigger_id, path, seq, claim: uuidIds("claim") });
  const results = await fromDatabase(db.batch<{ readonly trigger_id?: string }>([statement, ...paths]));
  forgetKnownPaths(tenant, trigger_id, path);
  return path === null || results.at(-1)?.results[0]?.trigger_id === trigger_id;
};

/** Takes a deleted trigger off the list, and forgets its paths; its sequence goes on, should it be put again. */
export const forgetTrigger = async (db: D1Database, tenant: string, triggerId: string): Promise<void> => {
  const statement = db.prepare("DELETE FROM triggers WHERE tenant = ? AND trigger_id = ?").bind(tenant, triggerId);
  await fromDatabase(db.batch([statement, forgetPathsStatement(db, tenant, triggerId)]));
  forgetKnownPaths(tenant, triggerId, null);
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
