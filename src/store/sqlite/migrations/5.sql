-- What came to the callback addresses, for the doctor: requests that came and went alike are one row.
CREATE TABLE callbacks_seen (
  id       INTEGER PRIMARY KEY,
  app      TEXT NOT NULL,
  method   TEXT NOT NULL,
  outcome  TEXT NOT NULL,
  likely   TEXT NOT NULL,
  detail   TEXT NOT NULL,
  source   TEXT NOT NULL,
  count    INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  UNIQUE (app, method, outcome, likely)
) STRICT;
