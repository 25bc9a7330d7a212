import type { ApiKey, Scope } from "../schema/api-key.ts";
import { fromDatabase } from "./fault.ts";

/** An API key as it is stored: the hash instead of the text. */
export interface KeyRow extends ApiKey {
  readonly key_hash: string;
}

interface Stored {
  readonly key_id: string;
  readonly tenant: string;
  readonly name: string | null;
  readonly scopes: string;
  readonly key_hash: string;
  readonly created_at: string;
  readonly revoked_at: string | null;
}

const COLUMNS = "key_id, tenant, name, scopes, key_hash, created_at, revoked_at";

const decoded = (row: Stored): KeyRow => ({ ...row, scopes: JSON.parse(row.scopes) as readonly Scope[] });

/** The key with this id, revoked or not; null when there is none. */
export const findKey = async (db: D1Database, keyId: string): Promise<KeyRow | null> => {
  const row = await fromDatabase(
    db.prepare(`SELECT ${COLUMNS} FROM api_keys WHERE key_id = ?`).bind(keyId).first<Stored>(),
  );
  return row === null ? null : decoded(row);
};

/** A tenant's keys after an id, revoked ones too. */
export const listKeys = async (
  db: D1Database,
  tenant: string,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly KeyRow[]> => {
  const { results } = await fromDatabase(
    db
      .prepare(`SELECT ${COLUMNS} FROM api_keys WHERE tenant = ? AND key_id > ? ORDER BY key_id LIMIT ?`)
      .bind(tenant, page.after, page.limit)
      .all<Stored>(),
  );
  return results.map(decoded);
};

/** A statement that stores a key. */
export const keyInsert = (db: D1Database, row: KeyRow): D1PreparedStatement =>
  db
    .prepare(`INSERT INTO api_keys (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`)
    .bind(row.key_id, row.tenant, row.name, JSON.stringify(row.scopes), row.key_hash, row.created_at, row.revoked_at);

/** Revokes a tenant's key for good; false when the tenant has no such key. Revoking twice keeps the first moment. */
export const revokeKey = async (db: D1Database, tenant: string, keyId: string, at: string): Promise<boolean> => {
  const { meta } = await fromDatabase(
    db
      .prepare("UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) WHERE tenant = ? AND key_id = ?")
      .bind(at, tenant, keyId)
      .run(),
  );
  return meta.changes > 0;
};
