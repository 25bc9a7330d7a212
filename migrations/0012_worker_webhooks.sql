-- Where the events of a tenant's workers go. The secret is sealed under the deployment's master key.

CREATE TABLE worker_webhooks (
  tenant TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  headers TEXT NOT NULL,
  sealed TEXT,
  updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
