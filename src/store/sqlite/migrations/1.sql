CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

-- Hashes are HMAC-SHA-256 with a key of this store: equal people stay equal, and nobody can be looked up by trying ids elsewhere.
CREATE TABLE messages (
  message    BLOB PRIMARY KEY,
  reply      TEXT,
  settled_at INTEGER NOT NULL           -- Unix milliseconds, as all times here
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_by_age ON messages (settled_at);

CREATE TABLE sessions (
  conversation BLOB PRIMARY KEY,
  state        TEXT NOT NULL,
  expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_age ON sessions (expires_at);

CREATE TABLE questions (
  message  BLOB PRIMARY KEY,
  person   BLOB NOT NULL,
  corp_id  TEXT NOT NULL,
  app      TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  record   TEXT NOT NULL                -- JSON
) STRICT;
CREATE INDEX questions_by_age ON questions (asked_at);
