-- Access tokens of WeCom's API, shared by all processes of an app.
CREATE TABLE tokens (
  app              TEXT PRIMARY KEY,
  token            TEXT,
  generation       INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL,
  refresh_until    INTEGER NOT NULL DEFAULT 0   -- until then one process alone may fetch the next token
) STRICT;

-- How far the messages of each account of 微信客服 have been fetched. There is news while wanted > done.
CREATE TABLE kf_accounts (
  corp_id    TEXT NOT NULL,
  app        TEXT NOT NULL,
  open_kf_id TEXT NOT NULL,
  cursor     TEXT,
  token      TEXT,
  token_at   INTEGER,
  wanted     INTEGER NOT NULL DEFAULT 0,
  done       INTEGER NOT NULL DEFAULT 0,
  complete   INTEGER NOT NULL DEFAULT 0,  -- whether it has ever been fetched to its end
  PRIMARY KEY (corp_id, app, open_kf_id)
) STRICT, WITHOUT ROWID;

-- Fetched messages and events, each once. What was said is kept only while it waits for an answer.
CREATE TABLE inbox (
  id          INTEGER PRIMARY KEY,
  message     BLOB NOT NULL UNIQUE,
  person      BLOB NOT NULL,
  corp_id     TEXT NOT NULL,
  app         TEXT NOT NULL,
  open_kf_id  TEXT NOT NULL,
  item        TEXT,                      -- JSON as it was fetched
  sent_at     INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  fate        TEXT                       -- NULL while it waits
) STRICT;
CREATE INDEX inbox_waiting ON inbox (person, id) WHERE fate IS NULL;
CREATE INDEX inbox_by_age ON inbox (received_at);

-- What decides whether and how much may be sent to a customer.
CREATE TABLE customers (
  person      BLOB PRIMARY KEY,
  served_by   TEXT NOT NULL,             -- bot, pool or servicer
  served_from INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is to be sent, each once, in the order of its id for one person. The body is kept only until it is settled.
CREATE TABLE outbox (
  id           INTEGER PRIMARY KEY,
  send_id      TEXT NOT NULL UNIQUE,
  person       BLOB NOT NULL,
  way          TEXT NOT NULL,            -- the app, or the app and its account: APP/OPEN_KF_ID
  api          TEXT NOT NULL,
  body         TEXT,                     -- JSON, sent as it is
  instead_api  TEXT,                     -- what to send instead when this is refused
  instead_body TEXT,
  urgency      INTEGER NOT NULL,         -- the least goes first
  attempts     INTEGER NOT NULL DEFAULT 0,
  next_at      INTEGER NOT NULL,
  not_after    INTEGER NOT NULL,
  leased_until INTEGER NOT NULL DEFAULT 0,
  unclear      INTEGER NOT NULL DEFAULT 0,  -- whether an earlier try may have been carried out
  replaces     BLOB,                     -- the message whose passive reply this stands in for
  code         INTEGER,
  settled_at   INTEGER,
  fate         TEXT                      -- NULL while it waits
) STRICT;
CREATE INDEX outbox_by_person ON outbox (person, id) WHERE fate IS NULL;
CREATE INDEX outbox_waiting ON outbox (urgency, id) WHERE fate IS NULL;
CREATE INDEX outbox_by_due ON outbox (next_at) WHERE fate IS NULL;
CREATE INDEX outbox_by_end ON outbox (not_after) WHERE fate IS NULL;
CREATE INDEX outbox_replacing ON outbox (replaces) WHERE replaces IS NOT NULL;
CREATE INDEX outbox_by_age ON outbox (settled_at);
