-- What is personal is sealed under its person's key; blind indexes find it again. An account from before
-- keeps its name in plain_name until the orchestrator, which has the keys, has sealed it.
ALTER TABLE users ADD COLUMN plain_name TEXT;
UPDATE users SET plain_name = name;
DROP INDEX users_name;
ALTER TABLE users DROP COLUMN name;
ALTER TABLE users ADD COLUMN profile BLOB NOT NULL DEFAULT x'';
ALTER TABLE users ADD COLUMN name_index BLOB;
ALTER TABLE users ADD COLUMN email_index BLOB;
ALTER TABLE users ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
ALTER TABLE users ADD COLUMN password_temporary INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN second_factor INTEGER NOT NULL DEFAULT 0;
UPDATE users SET state = 'disabled' WHERE disabled;
ALTER TABLE users DROP COLUMN disabled;
CREATE UNIQUE INDEX users_name_index ON users (name_index);
CREATE UNIQUE INDEX users_email_index ON users (email_index);

-- The last passwords of an account, so that none is taken again.
CREATE TABLE old_passwords (
  user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  at INTEGER NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (user_id, at)
) STRICT, WITHOUT ROWID;

-- Sessions carry more than before: everybody signs in once more.
DROP TABLE sessions;
CREATE TABLE sessions (
  id BLOB PRIMARY KEY NOT NULL,
  secret_hash BLOB NOT NULL,
  user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  idle_until INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  proved_at INTEGER NOT NULL,
  second_factor INTEGER NOT NULL,
  about BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX sessions_secret ON sessions (secret_hash);
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE INDEX sessions_idle ON sessions (idle_until);

-- Refresh tokens that were used: whoever brings one has copied it.
CREATE TABLE spent_secrets (
  secret_hash BLOB PRIMARY KEY NOT NULL,
  session_id BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_secrets_session ON spent_secrets (session_id);

ALTER TABLE api_tokens ADD COLUMN scopes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_tokens ADD COLUMN used_at INTEGER;

-- Single-use links that set a password.
CREATE TABLE passes (
  id BLOB PRIMARY KEY NOT NULL,
  secret_hash BLOB NOT NULL,
  user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  purpose TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX passes_secret ON passes (secret_hash);
CREATE INDEX passes_user ON passes (user_id);
CREATE INDEX passes_expires ON passes (expires_at);

CREATE TABLE factors (
  id BLOB PRIMARY KEY NOT NULL,
  user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  sealed BLOB NOT NULL,
  handle BLOB,
  counter INTEGER NOT NULL,
  confirmed INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT;
CREATE UNIQUE INDEX factors_handle ON factors (handle) WHERE handle IS NOT NULL;
CREATE INDEX factors_user ON factors (user_id, id);
