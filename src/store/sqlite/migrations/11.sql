-- Whatever is said tells which knowledge it was made of; it is empty where that was not noted.
ALTER TABLE replies ADD COLUMN knowledge_version TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN knowledge_version TEXT NOT NULL DEFAULT '';

-- As with messages: keys come in the order of time, and need no index beside them. A row of more than about a thousand bytes takes a page
-- more than it would with an index, but few questions are so long.
ALTER TABLE questions RENAME TO questions_before;
CREATE TABLE questions (
  message  BLOB PRIMARY KEY,
  person   BLOB NOT NULL,
  corp_id  TEXT NOT NULL,
  app      TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  record   TEXT NOT NULL                -- JSON
) STRICT, WITHOUT ROWID;
INSERT INTO questions (message, person, corp_id, app, asked_at, record)
  SELECT message, person, corp_id, app, asked_at, record FROM questions_before ORDER BY message;
DROP TABLE questions_before;
