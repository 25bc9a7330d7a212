-- What lists and figures about triggers need. Like every read model it may lag and decides nothing.

ALTER TABLE events ADD COLUMN binding_version INTEGER;
ALTER TABLE events ADD COLUMN attempt_count INTEGER;
ALTER TABLE events ADD COLUMN skip_stage TEXT;
ALTER TABLE events ADD COLUMN error_class TEXT;
ALTER TABLE events ADD COLUMN settled_at TEXT;
ALTER TABLE events ADD COLUMN replay_of TEXT;

-- Only events that are not over are in it, so it stays small; the condition is repeated word for word in the queries.
CREATE INDEX events_open ON events (tenant, received_at, event_id)
  WHERE status IN ('accepted', 'parked', 'deferred', 'waiting', 'dispatching', 'retrying');

-- `seq` counts up with every change of the dead letter: an older row never replaces a newer one.
CREATE TABLE dead_letters (
  tenant TEXT NOT NULL,
  dlq_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  trigger_id TEXT NOT NULL,
  binding_version INTEGER,
  provider TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  error TEXT,
  error_class TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (tenant, dlq_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_letters_by_state ON dead_letters (tenant, state, created_at DESC, dlq_id DESC);
CREATE INDEX dead_letters_by_trigger ON dead_letters (tenant, trigger_id, state, created_at DESC, dlq_id DESC);

-- One row for each series. Of a histogram `value` is the sum and `buckets` a JSON array: how many observations fell into
-- each bucket, not cumulative, the one above all bounds last.
CREATE TABLE metric_counters (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  labels TEXT NOT NULL,
  value REAL NOT NULL,
  buckets TEXT,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (tenant, name, labels)
) STRICT, WITHOUT ROWID;

-- Deliveries that left no event, by hour.
CREATE TABLE trigger_hours (
  tenant TEXT NOT NULL,
  trigger_id TEXT NOT NULL,
  hour TEXT NOT NULL,
  duplicates INTEGER NOT NULL,
  rejected INTEGER NOT NULL,
  PRIMARY KEY (tenant, trigger_id, hour)
) STRICT, WITHOUT ROWID;
