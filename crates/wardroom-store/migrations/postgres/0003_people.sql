-- What is personal is sealed under its person's key; blind indexes find it again. An account from before
-- keeps its name in plain_name until the orchestrator, which has the keys, has sealed it.
ALTER TABLE users ADD COLUMN plain_name TEXT;
UPDATE users SET plain_name = name;
DROP INDEX users_name;
ALTER TABLE users DROP COLUMN name;
ALTER TABLE users ADD COLUMN profile BYTEA NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN name_index BYTEA;
ALTER TABLE users ADD COLUMN email_index BYTEA;
ALTER TABLE users ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
ALTER TABLE users ADD COLUMN password_temporary BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN second_factor BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE users SET state = 'disabled' WHERE disabled;
ALTER TABLE users DROP COLUMN disabled;
CREATE UNIQUE INDEX users_name_index ON users (name_index);
CREATE UNIQUE INDEX users_email_index ON users (email_index);

-- The last passwords of an account, so that none is taken again.
CREATE TABLE old_passwords (
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  at BIGINT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (user_id, at)
);

-- Sessions carry more than before: everybody signs in once more.
DROP TABLE sessions;
CREATE TABLE sessions (
  id UUID PRIMARY KEY NOT NULL,
  secret_hash BYTEA NOT NULL,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  idle_until BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  proved_at BIGINT NOT NULL,
  second_factor BOOLEAN NOT NULL,
  about BYTEA NOT NULL
);
CREATE UNIQUE INDEX sessions_secret ON sessions (secret_hash);
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE INDEX sessions_idle ON sessions (idle_until);

-- Refresh tokens that were used: whoever brings one has copied it.
CREATE TABLE spent_secrets (
  secret_hash BYTEA PRIMARY KEY NOT NULL,
  session_id UUID NOT NULL REFERENCES sessions (id) ON DELETE CASCADE
);
CREATE INDEX spent_secrets_session ON spent_secrets (session_id);

ALTER TABLE api_tokens ADD COLUMN scopes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_tokens ADD COLUMN used_at BIGINT;

-- Single-use links that set a password.
CREATE TABLE passes (
  id UUID PRIMARY KEY NOT NULL,
  secret_hash BYTEA NOT NULL,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  purpose TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX passes_secret ON passes (secret_hash);
CREATE INDEX passes_user ON passes (user_id);
CREATE INDEX passes_expires ON passes (expires_at);

CREATE TABLE factors (
  id UUID PRIMARY KEY NOT NULL,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  sealed BYTEA NOT NULL,
  handle BYTEA,
  counter BIGINT NOT NULL,
  confirmed BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE UNIQUE INDEX factors_handle ON factors (handle) WHERE handle IS NOT NULL;
CREATE INDEX factors_user ON factors (user_id, id);

-- People's keys, in a schema of their own: a backup of the data leaves it out (pg_dump -N), and one of the
-- keys replaces the one before, so that a key that was destroyed is in none.
CREATE SCHEMA IF NOT EXISTS wardroom_keys;
CREATE TABLE IF NOT EXISTS wardroom_keys.person_keys (
  person UUID NOT NULL,
  generation BIGINT NOT NULL,
  wrapped BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (person, generation)
);
