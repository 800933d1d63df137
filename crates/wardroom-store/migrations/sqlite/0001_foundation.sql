-- Timestamps are microseconds since 1970, ids are UUIDv7, hashes are raw bytes.
CREATE TABLE users (
  id BLOB PRIMARY KEY NOT NULL,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  disabled INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  password_changed_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_name ON users (name);

CREATE TABLE sessions (
  id BLOB PRIMARY KEY NOT NULL,
  secret_hash BLOB NOT NULL,
  user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  address TEXT NOT NULL,
  user_agent TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX sessions_secret ON sessions (secret_hash);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE api_tokens (
  id BLOB PRIMARY KEY NOT NULL,
  secret_hash BLOB NOT NULL,
  user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX api_tokens_secret ON api_tokens (secret_hash);
CREATE INDEX api_tokens_user ON api_tokens (user_id, id);
CREATE INDEX api_tokens_expires ON api_tokens (expires_at);

CREATE TABLE join_tokens (
  id BLOB PRIMARY KEY NOT NULL,
  secret_hash BLOB NOT NULL,
  labels TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER,
  used_at INTEGER,
  used_by BLOB
) STRICT;

CREATE TABLE sealed_keys (
  name TEXT PRIMARY KEY NOT NULL,
  sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE nodes (
  id BLOB PRIMARY KEY NOT NULL,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  public_key BLOB NOT NULL,
  labels TEXT NOT NULL,
  disabled INTEGER NOT NULL,
  enrolled_at INTEGER NOT NULL,
  seen_at INTEGER,
  connected INTEGER NOT NULL,
  report TEXT,
  catalogue TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX nodes_name ON nodes (name);
CREATE UNIQUE INDEX nodes_public_key ON nodes (public_key);

-- A run's lease_until is set exactly while a node holds it, finished_at exactly when it is over.
CREATE TABLE runs (
  id BLOB PRIMARY KEY NOT NULL,
  version INTEGER NOT NULL,
  submitted_by BLOB NOT NULL,
  command TEXT NOT NULL,
  command_digest TEXT NOT NULL,
  parameters_sealed BLOB NOT NULL,
  parameters_digest TEXT NOT NULL,
  target TEXT NOT NULL,
  target_kind TEXT NOT NULL,
  target_node BLOB,
  node BLOB,
  parent BLOB,
  replay_of BLOB,
  state TEXT NOT NULL,
  fence INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  attempts_max INTEGER NOT NULL,
  backoff_ms INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  idempotent INTEGER NOT NULL,
  idempotency_key TEXT,
  request_digest TEXT NOT NULL,
  deadline INTEGER,
  not_before INTEGER,
  lease_until INTEGER,
  cancel_requested_at INTEGER,
  queued_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  outcome TEXT,
  dead_letter INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX runs_idempotency_key ON runs (submitted_by, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_queued ON runs (target_node, priority DESC, id) WHERE state = 'queued';
CREATE INDEX runs_held ON runs (node) WHERE lease_until IS NOT NULL;
CREATE INDEX runs_lease ON runs (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX runs_deadline ON runs (deadline) WHERE deadline IS NOT NULL AND finished_at IS NULL;
CREATE INDEX runs_not_before ON runs (not_before) WHERE not_before IS NOT NULL;
CREATE INDEX runs_parents ON runs (id) WHERE target_kind = 'all_of' AND finished_at IS NULL;
CREATE INDEX runs_children ON runs (parent, state) WHERE parent IS NOT NULL;
CREATE INDEX runs_node ON runs (node, id);
CREATE INDEX runs_dead ON runs (id) WHERE dead_letter;
CREATE INDEX runs_failed ON runs (state, id) WHERE state IN ('failed', 'timed_out', 'interrupted');

CREATE TABLE run_output (
  run BLOB NOT NULL,
  fence INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  stderr INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (run, fence, seq)
) STRICT, WITHOUT ROWID;

-- Records get their place in the transaction that writes them.
CREATE TABLE audit_records (
  idx INTEGER PRIMARY KEY NOT NULL,
  at INTEGER NOT NULL,
  action TEXT NOT NULL,
  actor TEXT NOT NULL,
  target TEXT NOT NULL,
  outcome TEXT NOT NULL,
  body TEXT NOT NULL,
  leaf BLOB NOT NULL
) STRICT;
CREATE INDEX audit_target ON audit_records (target, idx);
CREATE INDEX audit_action ON audit_records (action, idx);

-- Roots of complete stretches of 256 records.
CREATE TABLE audit_tiles (
  idx INTEGER PRIMARY KEY NOT NULL,
  hash BLOB NOT NULL
) STRICT;

-- One row: how many records are placed, and the right edge of their Merkle tree.
CREATE TABLE audit_tree (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  size INTEGER NOT NULL,
  frontier BLOB NOT NULL
) STRICT;
INSERT INTO audit_tree (id, size, frontier) VALUES (1, 0, x'');

CREATE TABLE audit_checkpoints (
  size INTEGER PRIMARY KEY NOT NULL,
  root BLOB NOT NULL,
  at INTEGER NOT NULL,
  note TEXT NOT NULL
) STRICT;
