-- Read models and keys. Nothing here decides anything about a run: the lists may lag behind the runs' own objects.

CREATE TABLE tenants (
  tenant TEXT PRIMARY KEY,
  name TEXT,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Only the SHA-256 of a key's text is kept.
CREATE TABLE api_keys (
  key_id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT,
  scopes TEXT NOT NULL,
  key_hash TEXT NOT NULL,
  created_at TEXT NOT NULL,
  revoked_at TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_by_tenant ON api_keys (tenant, key_id);

-- Replies to requests with an Idempotency-Key that no object answers for.
CREATE TABLE idempotency (
  tenant TEXT NOT NULL,
  operation TEXT NOT NULL,
  key TEXT NOT NULL,
  request_digest TEXT NOT NULL,
  status INTEGER NOT NULL,
  reply TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (tenant, operation, key)
) STRICT, WITHOUT ROWID;

-- `version` is the version a run gets that names none: the one defined last.
CREATE TABLE workflows (
  tenant TEXT NOT NULL,
  workflow_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (tenant, workflow_id)
) STRICT, WITHOUT ROWID;

-- Versions never change. `hash` is the SHA-256 of the normal graph's canonical JSON, `graph` the document as it was given.
CREATE TABLE workflow_versions (
  tenant TEXT NOT NULL,
  workflow_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  hash TEXT NOT NULL,
  name TEXT,
  graph TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (tenant, workflow_id, version),
  UNIQUE (tenant, workflow_id, hash)
) STRICT;

-- `seq` is the run's journal sequence: an older row never replaces a newer one.
CREATE TABLE runs (
  tenant TEXT NOT NULL,
  run_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  workflow_id TEXT NOT NULL,
  workflow_name TEXT,
  trigger_id TEXT,
  status TEXT NOT NULL,
  task TEXT NOT NULL,
  stage_count INTEGER NOT NULL,
  total_cost REAL NOT NULL,
  error TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (tenant, run_id)
) STRICT, WITHOUT ROWID;

-- Every list is newest first; the filters are the ones people page through.
CREATE INDEX runs_by_time ON runs (tenant, created_at DESC, run_id DESC);
CREATE INDEX runs_by_workflow ON runs (tenant, workflow_id, created_at DESC, run_id DESC);
CREATE INDEX runs_by_trigger ON runs (tenant, trigger_id, created_at DESC, run_id DESC) WHERE trigger_id IS NOT NULL;
-- The watchdog looks for running runs that have not moved for a while.
CREATE INDEX runs_open ON runs (updated_at) WHERE status = 'running';

-- `definition` is what the owner wrote, without the secret.
CREATE TABLE triggers (
  tenant TEXT NOT NULL,
  trigger_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  provider TEXT NOT NULL,
  state TEXT NOT NULL,
  version INTEGER NOT NULL,
  definition TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (tenant, trigger_id)
) STRICT, WITHOUT ROWID;

-- Deliveries for triggers that do not exist, counted by minute; nothing of their bodies is kept.
CREATE TABLE unknown_deliveries (
  tenant TEXT NOT NULL,
  minute TEXT NOT NULL,
  count INTEGER NOT NULL,
  last_trigger_id TEXT NOT NULL,
  last_at TEXT NOT NULL,
  PRIMARY KEY (tenant, minute)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  tenant TEXT NOT NULL,
  event_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  trigger_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  kind TEXT NOT NULL,
  dedupe_key TEXT NOT NULL,
  status TEXT NOT NULL,
  run_id TEXT,
  receipt TEXT,
  error TEXT,
  received_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (tenant, event_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX events_by_time ON events (tenant, received_at DESC, event_id DESC);
CREATE INDEX events_by_trigger ON events (tenant, trigger_id, received_at DESC, event_id DESC);
