-- Whatever is said tells which knowledge it was made of; it is empty where that was not noted.
ALTER TABLE replies ADD COLUMN knowledge_version TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN knowledge_version TEXT NOT NULL DEFAULT '';
