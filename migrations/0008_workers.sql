-- The list of workers; what holds is what a worker's own object says. `seq` is its journal's: an older row never replaces a newer one.

CREATE TABLE workers (
  tenant TEXT NOT NULL,
  worker_id TEXT NOT NULL,
  name TEXT NOT NULL,
  mode TEXT NOT NULL,
  status TEXT NOT NULL,
  task TEXT NOT NULL,
  cycle INTEGER NOT NULL,
  run_id TEXT,
  parent_run_id TEXT,
  parent_worker_id TEXT,
  error TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (tenant, worker_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX workers_by_time ON workers (tenant, created_at, worker_id);
