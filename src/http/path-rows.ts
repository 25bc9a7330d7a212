import { fromDatabase } from "./fault.ts";

/** An address of a tenant's trigger. */
export interface TenantPath {
  readonly tenant: string;
  readonly path: string;
}

/** Which trigger has a path, as far as the table knows: its definition decides. */
export const pathHolder = async (db: D1Database, { tenant, path }: TenantPath): Promise<string | null> => {
  const statement = db.prepare("SELECT trigger_id FROM trigger_paths WHERE tenant = ? AND path = ?").bind(tenant, path);
  return fromDatabase(statement.first<string>("trigger_id"));
};

/** Which triggers have some paths, as far as the table knows. */
export const pathHolders = async (
  db: D1Database,
  tenant: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> => {
  if (paths.length === 0) return new Map();
  const { results } = await fromDatabase(
    db
      .prepare(
        "SELECT path, trigger_id FROM trigger_paths WHERE tenant = ? AND path IN (SELECT value FROM json_each(?))",
      )
      .bind(tenant, JSON.stringify(paths))
      .all<{ readonly path: string; readonly trigger_id: string }>(),
  );
  return new Map(results.map((row) => [row.path, row.trigger_id]));
};

/** A path that a trigger wants; `claim` names the attempt. */
export interface PathClaimRow extends TenantPath {
  readonly trigger_id: string;
  readonly claim: string;
}

/** Who has a path, by which claim. */
export type PathHold = Pick<PathClaimRow, "trigger_id" | "claim">;

/** Claims a path that nobody else has; answers who had it before. */
export const insertClaim = async (
  db: D1Database,
  { tenant, path, trigger_id: triggerId, claim }: PathClaimRow,
): Promise<PathHold | null> => {
  const read = db.prepare("SELECT trigger_id, claim FROM trigger_paths WHERE tenant = ? AND path = ?");
  const insert = db.prepare(
    `INSERT INTO trigger_paths (tenant, path, trigger_id, claim) VALUES (?, ?, ?, ?)
     ON CONFLICT (tenant, path) DO UPDATE SET claim = excluded.claim WHERE trigger_paths.trigger_id = excluded.trigger_id`,
  );
  const [found] = await fromDatabase(
    db.batch<PathHold>([read.bind(tenant, path), insert.bind(tenant, path, triggerId, claim)]),
  );
  return found?.results[0] ?? null;
};

/** Takes a path over from a trigger that has no use for it; whether it was still as it was looked at. */
export const takeClaim = async (db: D1Database, claimed: PathClaimRow, from: PathHold): Promise<boolean> => {
  const { tenant, path, trigger_id: triggerId, claim } = claimed;
  const statement = db
    .prepare("UPDATE trigger_paths SET trigger_id = ?, claim = ? WHERE tenant = ? AND path = ? AND claim = ?")
    .bind(triggerId, claim, tenant, path, from.claim);
  return (await fromDatabase(statement.run())).meta.changes === 1;
};

/** Gives a claimed path back to who had it, unless another put has to do with it by now. */
export const returnClaim = async (
  db: D1Database,
  { tenant, path, claim }: PathClaimRow,
  to: PathHold | null,
): Promise<void> => {
  const statement =
    to === null
      ? db.prepare("DELETE FROM trigger_paths WHERE tenant = ? AND path = ? AND claim = ?").bind(tenant, path, claim)
      : db
          .prepare("UPDATE trigger_paths SET trigger_id = ?, claim = ? WHERE tenant = ? AND path = ? AND claim = ?")
          .bind(to.trigger_id, to.claim, tenant, path, claim);
  await fromDatabase(statement.run());
};

/**
 * What brings the paths of a trigger up to date with its definition, after its row in the list: only when that row is of
 * the same change. The last one reads who has the path.
 */
export const pathStatements = (
  db: D1Database,
  of: Omit<PathClaimRow, "path"> & { readonly path: string | null; readonly seq: number },
): readonly D1PreparedStatement[] => {
  const { tenant, trigger_id: triggerId, path, seq, claim } = of;
  const isNewest = "EXISTS (SELECT 1 FROM triggers WHERE tenant = ?1 AND trigger_id = ?2 AND seq = ?4)";
  return [
    db
      .prepare(`DELETE FROM trigger_paths WHERE tenant = ?1 AND trigger_id = ?2 AND path IS NOT ?3 AND ${isNewest}`)
      .bind(tenant, triggerId, path, seq),
    db
      .prepare(
        `INSERT INTO trigger_paths (tenant, path, trigger_id, claim) SELECT ?1, ?3, ?2, ?5
         WHERE ?3 IS NOT NULL AND ${isNewest}
         ON CONFLICT (tenant, path) DO UPDATE SET claim = excluded.claim WHERE trigger_paths.trigger_id = excluded.trigger_id`,
      )
      .bind(tenant, triggerId, path, seq, claim),
    db.prepare("SELECT trigger_id FROM trigger_paths WHERE tenant = ? AND path = ?").bind(tenant, path),
  ];
};

/** Forgets all paths of a trigger. */
export const forgetPathsStatement = (db: D1Database, tenant: string, triggerId: string): D1PreparedStatement =>
  db.prepare("DELETE FROM trigger_paths WHERE tenant = ? AND trigger_id = ?").bind(tenant, triggerId);
