-- Keys come in the order of time, so that messages in the order of their keys are added at the end as well, and need no index beside them.
ALTER TABLE messages RENAME TO messages_before;
CREATE TABLE messages (
  message    BLOB PRIMARY KEY,
  reply      INTEGER,                    -- of replies; NULL: there was none, or it is erased
  settled_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO messages (message, reply, settled_at) SELECT message, reply, settled_at FROM messages_before ORDER BY message;
DROP TABLE messages_before;
