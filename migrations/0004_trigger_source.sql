-- Who put a trigger: a manifest owns all that it put, and removes what it does not name any more.
ALTER TABLE triggers ADD COLUMN source TEXT NOT NULL DEFAULT 'dynamic';
