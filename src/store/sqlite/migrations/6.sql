-- Who may use the admin console. A name has one spelling; without a password nobody can sign in as this user.
CREATE TABLE console_users (
  id            INTEGER PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE,
  role          TEXT NOT NULL,           -- viewer, editor or admin
  password      TEXT,                    -- Argon2id, as a PHC string
  created_at    INTEGER NOT NULL,
  last_login_at INTEGER,
  disabled      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Links that work once: for the first admin, for somebody who was invited, for a new password. Only the hash of a link is kept.
CREATE TABLE console_links (
  hash       BLOB PRIMARY KEY,
  user_id    INTEGER REFERENCES console_users (id) ON DELETE CASCADE,  -- NULL: makes the first admin
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE console_sessions (
  hash       BLOB PRIMARY KEY,           -- of the cookie
  user_id    INTEGER NOT NULL REFERENCES console_users (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX console_sessions_by_user ON console_sessions (user_id);

-- What was done in the console. It only grows: nothing of it is changed, and nothing of the last year is removed.
CREATE TABLE console_audit (
  id     INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  who    TEXT NOT NULL,                  -- the user's name; empty: nobody who is known
  action TEXT NOT NULL,
  object TEXT NOT NULL
) STRICT;
CREATE TRIGGER console_audit_stays BEFORE UPDATE ON console_audit
BEGIN SELECT RAISE(ABORT, 'the audit log is not changed'); END;
CREATE TRIGGER console_audit_is_kept BEFORE DELETE ON console_audit WHEN old.at > (unixepoch() - 365 * 86400) * 1000
BEGIN SELECT RAISE(ABORT, 'the audit log is kept for a year'); END;
