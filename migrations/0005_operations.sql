-- Operations on many events. Each dispatch is its trigger's own; here is how far the operation has come, and what it did.

-- `cursor` is the last event or dead letter that was looked at: whoever goes on, goes on there.
CREATE TABLE operations (
  tenant TEXT NOT NULL,
  operation_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  request TEXT NOT NULL,
  cursor TEXT NOT NULL,
  matched INTEGER NOT NULL,
  executed INTEGER NOT NULL,
  skipped INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (tenant, operation_id)
) STRICT, WITHOUT ROWID;

-- The watchdog looks for operations that have stopped on their way.
CREATE INDEX operations_open ON operations (updated_at) WHERE state = 'running';

CREATE TABLE operation_items (
  tenant TEXT NOT NULL,
  operation_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  item TEXT NOT NULL,
  PRIMARY KEY (tenant, operation_id, position)
) STRICT, WITHOUT ROWID;
