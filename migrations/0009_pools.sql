-- Task pools by their ids: where the object of one is. Its object alone decides about its tasks.

-- `scope_id` is empty where a pool has none.
CREATE TABLE pools (
  tenant TEXT NOT NULL,
  pool_id TEXT NOT NULL,
  scope TEXT NOT NULL,
  scope_id TEXT NOT NULL,
  name TEXT NOT NULL,
  config TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (tenant, pool_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX pools_by_time ON pools (tenant, created_at, pool_id);

CREATE INDEX pools_by_scope ON pools (tenant, scope_id, created_at, pool_id);

CREATE INDEX pools_by_name ON pools (tenant, name, created_at, pool_id);
