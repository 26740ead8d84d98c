-- Keys of settled messages begin with the second in which the message was made, so that what comes together stands together: a batch
-- then changes few pages. Repeated deliveries come within seconds, so nothing is lost with the old keys.
DROP TABLE messages;
CREATE TABLE messages (
  id         INTEGER PRIMARY KEY,
  message    BLOB NOT NULL UNIQUE,
  reply      TEXT,
  settled_at INTEGER NOT NULL
) STRICT;

UPDATE questions SET message = unhex(printf('%010X', asked_at / 1000) || hex(substr(message, 1, 16)));
DROP INDEX questions_by_age;

-- States of conversations are a log for the same reason; the newest row of a person counts.
ALTER TABLE sessions RENAME TO sessions_before;
DROP INDEX sessions_by_age;
CREATE TABLE sessions (
  id           INTEGER PRIMARY KEY,
  conversation BLOB NOT NULL,
  state        TEXT NOT NULL,
  expires_at   INTEGER NOT NULL
) STRICT;
INSERT INTO sessions (conversation, state, expires_at) SELECT conversation, state, expires_at FROM sessions_before ORDER BY expires_at;
DROP TABLE sessions_before;

-- The processes that use this store, and what they run.
CREATE TABLE instances (
  id                TEXT PRIMARY KEY,
  started_at        INTEGER NOT NULL,
  beat_at           INTEGER NOT NULL,
  program_version   TEXT NOT NULL,
  knowledge_version TEXT NOT NULL,
  knowledge_refusal TEXT NOT NULL,
  reload            INTEGER NOT NULL
) STRICT;

-- Who holds something is one of them.
ALTER TABLE kf_accounts ADD COLUMN owner TEXT;
ALTER TABLE kf_accounts ADD COLUMN claim INTEGER NOT NULL DEFAULT 0;  -- grows with every owner
ALTER TABLE kf_accounts ADD COLUMN pulled_at INTEGER;

-- What is known of a received message that could not be answered: what it was stays until it is discarded or old.
ALTER TABLE inbox ADD COLUMN owner TEXT;
ALTER TABLE inbox ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;     -- counted when an answer is begun
ALTER TABLE inbox ADD COLUMN reason TEXT;
CREATE INDEX inbox_in_order ON inbox (id) WHERE fate IS NULL;
CREATE INDEX inbox_fresh ON inbox (sent_at) WHERE fate IS NULL;
CREATE INDEX inbox_dead ON inbox (id) WHERE fate IN ('failed', 'unreadable');

ALTER TABLE outbox ADD COLUMN owner TEXT;
UPDATE outbox SET owner = 'before' WHERE leased_until > 0 AND fate IS NULL;
ALTER TABLE outbox DROP COLUMN leased_until;
CREATE INDEX outbox_dead ON outbox (id) WHERE fate IN ('refused', 'unclear');
