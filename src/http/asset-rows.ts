import { contractPaths } from "../engine/verification/contract-paths.ts";
import type { ContractAssets } from "../engine/verification/contracts.ts";
import type { AssetRow } from "../schema/api-asset.ts";
import type { DecodedGraph } from "../schema/graph.ts";
import { fromDatabase } from "./fault.ts";

/** An asset with its content as JSON text. */
export interface StoredAsset extends AssetRow {
  readonly content: string;
}

const COLUMNS = "name, hash, size, created_at, updated_at";

/** Puts an asset in the place of whatever had its name. */
export const storeAsset = async (
  db: D1Database,
  tenant: string,
  { name, hash, size, content, updated_at }: Omit<StoredAsset, "created_at">,
): Promise<void> => {
  const statement = db
    .prepare(
      `INSERT INTO assets (tenant, name, hash, size, content, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
       ON CONFLICT (tenant, name) DO UPDATE SET hash = excluded.hash, size = excluded.size, content = excluded.content,
       updated_at = excluded.updated_at WHERE hash <> excluded.hash`,
    )
    .bind(tenant, name, hash, size, content, updated_at);
  await fromDatabase(statement.run());
};

/** The asset of a name; null when there is none. */
export const findAsset = (db: D1Database, tenant: string, name: string): Promise<StoredAsset | null> =>
  fromDatabase(
    db
      .prepare(`SELECT ${COLUMNS}, content FROM assets WHERE tenant = ? AND name = ?`)
      .bind(tenant, name)
      .first<StoredAsset>(),
  );

/** Deletes an asset; false when there was none. */
export const deleteAsset = async (db: D1Database, tenant: string, name: string): Promise<boolean> => {
  const statement = db.prepare("DELETE FROM assets WHERE tenant = ? AND name = ?").bind(tenant, name);
  return (await fromDatabase(statement.run())).meta.changes > 0;
};

/** A tenant's assets after a name, in the order of their names. */
export const listAssets = async (
  db: D1Database,
  tenant: string,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly AssetRow[]> => {
  const statement = db
    .prepare(`SELECT ${COLUMNS} FROM assets WHERE tenant = ? AND name > ? ORDER BY name LIMIT ?`)
    .bind(tenant, page.after, page.limit);
  return (await fromDatabase(statement.all<AssetRow>())).results;
};

/** The platform binds at most 100 values to a statement. */
const NAMES_PER_QUERY = 50;

/**
 * The assets that a graph's verification contracts name, by name; those that do not exist are left out, and reading the
 * contracts says so. A graph that names none asks no database.
 */
export const assetsFor = async (
  db: D1Database,
  tenant: string,
  graph: Pick<DecodedGraph, "nodes" | "legacy">,
): Promise<ContractAssets> => {
  const names = contractPaths(graph);
  const found: Record<string, string> = {};
  for (let start = 0; start < names.length; start += NAMES_PER_QUERY) {
    const some = names.slice(start, start + NAMES_PER_QUERY);
    const places = some.map(() => "?").join(", ");
    const statement = db
      .prepare(`SELECT name, content FROM assets WHERE tenant = ? AND name IN (${places})`)
      .bind(tenant, ...some);
    const { results } = await fromDatabase(statement.all<Pick<StoredAsset, "name" | "content">>());
    for (const { name, content } of results) found[name] = content;
  }
  return found;
};
