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

-- A second thing to sign in with: the secret of one-time codes (RFC 6238, base32), and the last of its steps that was used.
ALTER TABLE console_users ADD COLUMN second_factor TEXT;
ALTER TABLE console_users ADD COLUMN second_factor_step INTEGER;
