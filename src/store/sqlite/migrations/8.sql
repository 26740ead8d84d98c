-- What admins have set in the console, by its key in the configuration, which wins.
CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Several people with the same restriction within a short time.
CREATE TABLE outbreaks (
  id         INTEGER PRIMARY KEY,
  scenario   TEXT NOT NULL,
  noticed_at INTEGER NOT NULL,
  people     INTEGER NOT NULL
) STRICT;
CREATE INDEX outbreaks_by_time ON outbreaks (noticed_at);
