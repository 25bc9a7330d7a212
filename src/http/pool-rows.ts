import type { PoolAddress } from "../engine/pool/identity.ts";
import type { PoolConfig } from "../engine/pool/state.ts";
import { backpressureView, type PoolView } from "../engine/pool/view.ts";
import type { PoolItem, PoolQuery } from "../schema/api-pool.ts";
import { fromDatabase } from "./fault.ts";
import type { Position } from "./page.ts";

interface Row {
  readonly pool_id: string;
  readonly config: string;
  readonly created_at: string;
}

const configOf = ({ config }: Pick<Row, "config">): PoolConfig => JSON.parse(config) as PoolConfig;

/** Puts a pool on the list; one that is there stays as it is. */
export const insertPool = async (
  db: D1Database,
  tenant: string,
  { pool, config }: { readonly pool: Pick<PoolView, "id" | "created_at">; readonly config: PoolConfig },
): Promise<void> => {
  const { scope, scope_id, name } = config;
  await fromDatabase(
    db
      .prepare(
        "INSERT INTO pools (tenant, pool_id, scope, scope_id, name, config, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, pool_id) DO UPDATE SET config = excluded.config, created_at = excluded.created_at",
      )
      .bind(tenant, pool.id, scope, scope_id ?? "", name, JSON.stringify(config), pool.created_at)
      .run(),
  );
};

/** Takes a pool off the list. */
export const deletePool = async (db: D1Database, tenant: string, poolId: string): Promise<void> => {
  await fromDatabase(db.prepare("DELETE FROM pools WHERE tenant = ? AND pool_id = ?").bind(tenant, poolId).run());
};

/** Where the object of a pool is; null for a pool that is not on the list. */
export const findPool = async (db: D1Database, tenant: string, poolId: string): Promise<PoolAddress | null> => {
  const row = await fromDatabase(
    db
      .prepare("SELECT config FROM pools WHERE tenant = ? AND pool_id = ?")
      .bind(tenant, poolId)
      .first<Pick<Row, "config">>(),
  );
  return row === null ? null : configOf(row);
};

const itemOf = (row: Row): PoolItem => {
  const { name, scope, scope_id, max_concurrent, queue, backpressure } = configOf(row);
  return {
    id: row.pool_id,
    name,
    scope,
    scope_id,
    max_concurrent,
    queue_strategy: queue.kind,
    backpressure: backpressureView(backpressure),
    created_at: row.created_at,
  };
};

/** Where a list goes on behind a pool. */
export const poolPosition = ({ created_at, id }: Pick<PoolItem, "created_at" | "id">): Position => [created_at, id];

/** Pools of a tenant, the oldest first, one more than the page has (spec/workers 26.1). */
export const listPools = async (
  db: D1Database,
  tenant: string,
  { query, after }: { readonly query: PoolQuery; readonly after: Position | null },
): Promise<readonly PoolItem[]> => {
  const conditions = ["tenant = ?", "(created_at, pool_id) > (?, ?)"];
  const values: (string | number)[] = [tenant, after?.[0] ?? "", after?.[1] ?? ""];
  const add = (column: string, value: string | undefined): void => {
    if (value === undefined) return;
    conditions.push(`${column} = ?`);
    values.push(value);
  };
  add("scope", query.scope);
  add("scope_id", query.scope_id);
  add("name", query.name);
  const index =
    query.name !== undefined ? "pools_by_name" : query.scope_id !== undefined ? "pools_by_scope" : "pools_by_time";
  const sql = `SELECT pool_id, config, created_at FROM pools INDEXED BY ${index} WHERE ${conditions.join(" AND ")} ORDER BY created_at, pool_id LIMIT ?`;
  const { results } = await fromDatabase(
    db
      .prepare(sql)
      .bind(...values, query.limit + 1)
      .all<Row>(),
  );
  return results.map(itemOf);
};
