-- The object that holds an event, where its trigger has several.
ALTER TABLE events ADD COLUMN shard INTEGER;
