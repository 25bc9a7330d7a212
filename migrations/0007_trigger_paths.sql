-- Which trigger has an address of its own. The trigger's definition decides: a row of one that does not name the path is
-- what a put left that did not come to its end, and in nobody's way. `claim` is the put that has not ended, else null.
CREATE TABLE trigger_paths (
  tenant TEXT NOT NULL,
  path TEXT NOT NULL,
  trigger_id TEXT NOT NULL,
  claim TEXT,
  PRIMARY KEY (tenant, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX trigger_paths_by_trigger ON trigger_paths (tenant, trigger_id);
