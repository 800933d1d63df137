-- Timestamps are microseconds since 1970, ids are UUIDv7, hashes are raw bytes.
CREATE TABLE users (
  id UUID PRIMARY KEY NOT NULL,
  version BIGINT NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  disabled BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  password_changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_name ON users (name);

CREATE TABLE sessions (
  id UUID PRIMARY KEY NOT NULL,
  secret_hash BYTEA NOT NULL,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  address TEXT NOT NULL,
  user_agent TEXT NOT NULL
);
CREATE UNIQUE INDEX sessions_secret ON sessions (secret_hash);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE api_tokens (
  id UUID PRIMARY KEY NOT NULL,
  secret_hash BYTEA NOT NULL,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX api_tokens_secret ON api_tokens (secret_hash);
CREATE INDEX api_tokens_user ON api_tokens (user_id, id);
CREATE INDEX api_tokens_expires ON api_tokens (expires_at);

CREATE TABLE join_tokens (
  id UUID PRIMARY KEY NOT NULL,
  secret_hash BYTEA NOT NULL,
  labels TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT,
  used_at BIGINT,
  used_by UUID
);

CREATE TABLE sealed_keys (
  name TEXT PRIMARY KEY NOT NULL,
  sealed BYTEA NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE nodes (
  id UUID PRIMARY KEY NOT NULL,
  version BIGINT NOT NULL,
  name TEXT NOT NULL,
  public_key BYTEA NOT NULL,
  labels TEXT NOT NULL,
  disabled BOOLEAN NOT NULL,
  enrolled_at BIGINT NOT NULL,
  seen_at BIGINT,
  connected BOOLEAN NOT NULL,
  report TEXT,
  catalogue TEXT NOT NULL
);
CREATE UNIQUE INDEX nodes_name ON nodes (name);
CREATE UNIQUE INDEX nodes_public_key ON nodes (public_key);

-- A run's lease_until is set exactly while a node holds it, finished_at exactly when it is over.
CREATE TABLE runs (
  id UUID PRIMARY KEY NOT NULL,
  version BIGINT NOT NULL,
  submitted_by UUID NOT NULL,
  command TEXT NOT NULL,
  command_digest TEXT NOT NULL,
  parameters_sealed BYTEA NOT NULL,
  parameters_digest TEXT NOT NULL,
  target TEXT NOT NULL,
  target_kind TEXT NOT NULL,
  target_node UUID,
  node UUID,
  parent UUID,
  replay_of UUID,
  state TEXT NOT NULL,
  fence BIGINT NOT NULL,
  attempt BIGINT NOT NULL,
  attempts_max BIGINT NOT NULL,
  backoff_ms BIGINT NOT NULL,
  priority BIGINT NOT NULL,
  idempotent BOOLEAN NOT NULL,
  idempotency_key TEXT,
  request_digest TEXT NOT NULL,
  deadline BIGINT,
  not_before BIGINT,
  lease_until BIGINT,
  cancel_requested_at BIGINT,
  queued_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT,
  outcome TEXT,
  dead_letter BOOLEAN NOT NULL
);
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
  run UUID NOT NULL,
  fence BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  stderr BOOLEAN NOT NULL,
  bytes BYTEA NOT NULL,
  PRIMARY KEY (run, fence, seq)
);

-- Records wait without a place until a leader gives them one, in the order of their writing.
CREATE TABLE audit_records (
  seq BIGSERIAL PRIMARY KEY,
  idx BIGINT UNIQUE,
  at BIGINT NOT NULL,
  action TEXT NOT NULL,
  actor TEXT NOT NULL,
  target TEXT NOT NULL,
  outcome TEXT NOT NULL,
  body TEXT NOT NULL,
  leaf BYTEA NOT NULL
);
CREATE INDEX audit_pending ON audit_records (seq) WHERE idx IS NULL;
CREATE INDEX audit_target ON audit_records (target, idx);
CREATE INDEX audit_action ON audit_records (action, idx);

-- Roots of complete stretches of 256 records.
CREATE TABLE audit_tiles (
  idx BIGINT PRIMARY KEY NOT NULL,
  hash BYTEA NOT NULL
);

-- One row: how many records are placed, and the right edge of their Merkle tree.
CREATE TABLE audit_tree (
  id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
  size BIGINT NOT NULL,
  frontier BYTEA NOT NULL
);
INSERT INTO audit_tree (id, size, frontier) VALUES (1, 0, '');

CREATE TABLE audit_checkpoints (
  size BIGINT PRIMARY KEY NOT NULL,
  root BYTEA NOT NULL,
  at BIGINT NOT NULL,
  note TEXT NOT NULL
);
