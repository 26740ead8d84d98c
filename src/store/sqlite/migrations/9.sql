-- Many people get the same reply, and each text is stored once in a while. A number is not used again: what still refers to a text that is
-- gone shall not meet another one.
CREATE TABLE replies (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  text     TEXT NOT NULL,
  first_at INTEGER NOT NULL
) STRICT;
CREATE INDEX replies_by_age ON replies (first_at);

-- What is there goes over as it is, message by message, in whatever memory there is.
ALTER TABLE messages RENAME TO messages_before;
CREATE TABLE messages (
  id         INTEGER PRIMARY KEY,
  message    BLOB NOT NULL UNIQUE,
  reply      INTEGER,                    -- of replies; NULL: there was none, or it is erased
  settled_at INTEGER NOT NULL
) STRICT;
INSERT INTO replies (id, text, first_at) SELECT id, reply, settled_at FROM messages_before WHERE reply IS NOT NULL ORDER BY id;
INSERT INTO messages (id, message, reply, settled_at)
  SELECT id, message, CASE WHEN reply IS NOT NULL THEN id END, settled_at FROM messages_before ORDER BY id;
DROP TABLE messages_before;
