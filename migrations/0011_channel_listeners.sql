-- Suspended workers that listen on a channel. A row is there from when a worker is told that it listens until it is told that it does
-- not; whether an event still wakes it is for the worker to say.

CREATE TABLE channel_listeners (
  tenant TEXT NOT NULL,
  channel TEXT NOT NULL,
  listener_id TEXT NOT NULL,
  worker_id TEXT NOT NULL,
  suspended_at TEXT NOT NULL,
  PRIMARY KEY (tenant, channel, listener_id)
) STRICT, WITHOUT ROWID;
