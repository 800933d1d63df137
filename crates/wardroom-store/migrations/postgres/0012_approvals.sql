-- Consents that policy wants of a person, each for one exact thing and good once.
CREATE TABLE approvals (
  id UUID PRIMARY KEY NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  run UUID UNIQUE REFERENCES runs (id) ON DELETE CASCADE,
  user_id UUID NOT NULL REFERENCES users (id),
  client_id UUID,
  author UUID REFERENCES users (id),
  door TEXT NOT NULL,
  binding BYTEA NOT NULL,
  arguments BYTEA NOT NULL,
  arguments_digest TEXT NOT NULL,
  policies TEXT NOT NULL,
  policy_version TEXT NOT NULL,
  asked_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  approved BOOLEAN,
  decided_by UUID REFERENCES users (id),
  decided_at BIGINT,
  reason BYTEA NOT NULL,
  receipt TEXT,
  used_by UUID UNIQUE,
  used_at BIGINT
);
CREATE INDEX approvals_user ON approvals (user_id, id);
CREATE INDEX approvals_open ON approvals (binding, expires_at) WHERE used_at IS NULL;
CREATE INDEX approvals_waiting ON approvals (expires_at) WHERE approved IS NULL;

-- How often a call went on after its client was asked for something: each time once.
ALTER TABLE tool_calls ADD COLUMN rounds BIGINT NOT NULL DEFAULT 0;
