-- What agents remember of people, sealed under the key of each. The index finds one by its key and tells nobody the key.
CREATE TABLE memories (
  id BLOB PRIMARY KEY NOT NULL,
  user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  agent TEXT NOT NULL,
  namespace TEXT NOT NULL,
  key_index BLOB NOT NULL UNIQUE,
  sealed BLOB NOT NULL,
  size_bytes INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX memories_user ON memories (user_id, agent, written_at DESC);
CREATE INDEX memories_expires ON memories (expires_at);
