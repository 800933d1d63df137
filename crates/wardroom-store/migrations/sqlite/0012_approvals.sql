-- Consents that policy wants of a person, each for one exact thing and good once.
CREATE TABLE approvals (
  id BLOB PRIMARY KEY NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  run BLOB UNIQUE REFERENCES runs (id) ON DELETE CASCADE,
  user_id BLOB NOT NULL REFERENCES users (id),
  client_id BLOB,
  author BLOB REFERENCES users (id),
  door TEXT NOT NULL,
  binding BLOB NOT NULL,
  arguments BLOB NOT NULL,
  arguments_digest TEXT NOT NULL,
  policies TEXT NOT NULL,
  policy_version TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  approved INTEGER,
  decided_by BLOB REFERENCES users (id),
  decided_at INTEGER,
  reason BLOB NOT NULL,
  receipt TEXT,
  used_by BLOB UNIQUE,
  used_at INTEGER
) STRICT;
CREATE INDEX approvals_user ON approvals (user_id, id);
CREATE INDEX approvals_open ON approvals (binding, expires_at) WHERE used_at IS NULL;
CREATE INDEX approvals_waiting ON approvals (expires_at) WHERE approved IS NULL;

-- How often a call went on after its client was asked for something: each time once.
ALTER TABLE tool_calls ADD COLUMN rounds INTEGER NOT NULL DEFAULT 0;
