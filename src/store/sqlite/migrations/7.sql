-- What was published from the admin console: who, when, why, and every file as it was before and after.
CREATE TABLE knowledge_versions (
  id             INTEGER PRIMARY KEY,
  published_at   INTEGER NOT NULL,
  author         TEXT NOT NULL,
  comment        TEXT NOT NULL,
  version_before TEXT NOT NULL,
  version_after  TEXT NOT NULL,
  files          TEXT NOT NULL,          -- JSON: the paths of the files
  changes        TEXT NOT NULL           -- JSON: path, text before, text after; null where there is no such file
) STRICT;
CREATE INDEX knowledge_versions_by_time ON knowledge_versions (published_at);

-- What somebody has changed and not published.
CREATE TABLE knowledge_drafts (
  author     TEXT PRIMARY KEY,
  record     TEXT NOT NULL,              -- JSON
  changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
