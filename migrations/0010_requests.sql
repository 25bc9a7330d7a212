-- What stages ask people. A read model: the object of its run decides about a request, whose id says which run that is.
-- `seq` is the run's journal sequence: an older row never replaces a newer one. `asking` is what is asked, as JSON.
CREATE TABLE requests (
  tenant TEXT NOT NULL,
  request_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  run_id TEXT NOT NULL,
  stage_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  agent TEXT NOT NULL,
  status TEXT NOT NULL,
  requested_at TEXT NOT NULL,
  settled_at TEXT,
  asking TEXT NOT NULL,
  PRIMARY KEY (tenant, request_id)
) STRICT, WITHOUT ROWID;

-- The list shows what is open, newest first.
CREATE INDEX requests_open ON requests (tenant, requested_at DESC, request_id DESC) WHERE status = 'open';
