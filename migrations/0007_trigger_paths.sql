-- Which trigger has an address of its own. The trigger's definition decides: a row of one that does not name the path is
-- what a put left that did not come to its end, and in nobody's way. `claim` is another one after every put that has to do
-- with the row, so that nobody takes over what has changed since it was looked at.
CREATE TABLE trigger_paths (
  tenant TEXT NOT NULL,
  path TEXT NOT NULL,
  trigger_id TEXT NOT NULL,
  claim TEXT NOT NULL,
  PRIMARY KEY (tenant, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX trigger_paths_by_trigger ON trigger_paths (tenant, trigger_id);
