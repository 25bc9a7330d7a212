import type { WorkflowVersionRow } from "../schema/api-workflow.ts";
import { fromDatabase } from "./fault.ts";

/** A version with the graph as it was given, as JSON text. */
export interface StoredVersion extends WorkflowVersionRow {
  readonly graph: string;
}

/** A version to be stored. */
export interface NewVersion {
  readonly tenant: string;
  readonly workflow_id: string;
  readonly hash: string;
  readonly name: string | null;
  readonly graph: string;
  readonly at: string;
}

const COLUMNS = "v.workflow_id, v.version, v.name, v.hash, v.created_at";

/**
 * Makes a graph the current version of a workflow and says which version it is: the one it had before, or the next.
 *
 * One transaction, so that two definitions at once get different versions.
 */
export const defineVersion = async (db: D1Database, version: NewVersion): Promise<number> => {
  const { tenant, workflow_id: id, hash, name, graph, at } = version;
  const insertVersion = db
    .prepare(
      `INSERT INTO workflow_versions (tenant, workflow_id, version, hash, name, graph, created_at)
       SELECT ?1, ?2, coalesce(max(version), 0) + 1, ?3, ?4, ?5, ?6 FROM workflow_versions
       WHERE tenant = ?1 AND workflow_id = ?2
       ON CONFLICT (tenant, workflow_id, hash) DO NOTHING`,
    )
    .bind(tenant, id, hash, name, graph, at);
  const makeCurrent = db
    .prepare(
      `INSERT INTO workflows (tenant, workflow_id, version, created_at, updated_at)
       SELECT tenant, workflow_id, version, ?4, ?4 FROM workflow_versions
       WHERE tenant = ?1 AND workflow_id = ?2 AND hash = ?3
       ON CONFLICT (tenant, workflow_id) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at
       WHERE version <> excluded.version`,
    )
    .bind(tenant, id, hash, at);
  const read = db
    .prepare("SELECT version FROM workflow_versions WHERE tenant = ? AND workflow_id = ? AND hash = ?")
    .bind(tenant, id, hash);
  const results = await fromDatabase(db.batch<{ version: number }>([insertVersion, makeCurrent, read]));
  return results[2]?.results[0]?.version ?? 0;
};

/** A version of a workflow, the current one when none is named; null when there is none. */
export const findVersion = (
  db: D1Database,
  workflow: { readonly tenant: string; readonly workflow_id: string; readonly version: number | null },
): Promise<StoredVersion | null> => {
  const { tenant, workflow_id: id, version } = workflow;
  const statement =
    version === null
      ? db
          .prepare(
            `SELECT ${COLUMNS}, v.graph FROM workflows w JOIN workflow_versions v USING (tenant, workflow_id, version)
             WHERE w.tenant = ? AND w.workflow_id = ?`,
          )
          .bind(tenant, id)
      : db
          .prepare(
            `SELECT ${COLUMNS}, v.graph FROM workflow_versions v WHERE tenant = ? AND workflow_id = ? AND version = ?`,
          )
          .bind(tenant, id, version);
  return fromDatabase(statement.first<StoredVersion>());
};

/** Workflows with their current version, in the order of their ids, after an id. */
export const listWorkflows = async (
  db: D1Database,
  tenant: string,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly WorkflowVersionRow[]> => {
  const { results } = await fromDatabase(
    db
      .prepare(
        `SELECT ${COLUMNS} FROM workflows w JOIN workflow_versions v USING (tenant, workflow_id, version)
         WHERE w.tenant = ? AND w.workflow_id > ? ORDER BY w.workflow_id LIMIT ?`,
      )
      .bind(tenant, page.after, page.limit)
      .all<WorkflowVersionRow>(),
  );
  return results;
};

/** The versions of a workflow, newest first, below a version. */
export const listVersions = async (
  db: D1Database,
  workflow: { readonly tenant: string; readonly workflow_id: string },
  page: { readonly below: number; readonly limit: number },
): Promise<readonly WorkflowVersionRow[]> => {
  const { results } = await fromDatabase(
    db
      .prepare(
        `SELECT ${COLUMNS} FROM workflow_versions v
         WHERE tenant = ? AND workflow_id = ? AND version < ? ORDER BY version DESC LIMIT ?`,
      )
      .bind(workflow.tenant, workflow.workflow_id, page.below, page.limit)
      .all<WorkflowVersionRow>(),
  );
  return results;
};
