-- Appeals that people asked to have followed. The user id is in plain text, since whoever is to be reminded must be reachable; it goes
-- when the appeal is closed, and a cancelled appeal goes altogether.
CREATE TABLE appeals (
  id        INTEGER PRIMARY KEY,
  person    BLOB NOT NULL,
  corp_id   TEXT NOT NULL,
  app       TEXT NOT NULL,
  user_id   TEXT,
  record    TEXT NOT NULL,               -- JSON
  opened_at INTEGER NOT NULL,
  closed_at INTEGER,
  outcome   TEXT
) STRICT;
CREATE UNIQUE INDEX open_appeals ON appeals (person) WHERE closed_at IS NULL;
CREATE INDEX appeals_by_age ON appeals (opened_at);

CREATE TABLE reminders (
  appeal       INTEGER NOT NULL REFERENCES appeals (id) ON DELETE CASCADE,
  business_day INTEGER NOT NULL,
  due_at       INTEGER NOT NULL,
  PRIMARY KEY (appeal, business_day)
) STRICT, WITHOUT ROWID;
CREATE INDEX reminders_by_due ON reminders (due_at);

-- What people thought of an answer.
CREATE TABLE ratings (
  message           BLOB PRIMARY KEY,
  corp_id           TEXT NOT NULL,
  app               TEXT NOT NULL,
  rated_at          INTEGER NOT NULL,
  scenario          TEXT NOT NULL,
  verdict           TEXT NOT NULL,
  knowledge_version TEXT NOT NULL
) STRICT;
CREATE INDEX ratings_by_age ON ratings (rated_at);
