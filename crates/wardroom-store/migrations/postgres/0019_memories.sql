-- What agents remember of people, sealed under the key of each. The index finds one by its key and tells nobody the key.
CREATE TABLE memories (
  id UUID PRIMARY KEY,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  agent TEXT NOT NULL,
  namespace TEXT NOT NULL,
  key_index BYTEA NOT NULL UNIQUE,
  sealed BYTEA NOT NULL,
  size_bytes BIGINT NOT NULL,
  written_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX memories_user ON memories (user_id, agent, written_at DESC);
CREATE INDEX memories_expires ON memories (expires_at);
