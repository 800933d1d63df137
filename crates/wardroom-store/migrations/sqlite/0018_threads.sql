-- Conversations with agents, each one person's. The title is sealed under that person's key.
CREATE TABLE threads (
  id BLOB PRIMARY KEY NOT NULL,
  user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  agent TEXT NOT NULL,
  title BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX threads_user ON threads (user_id, updated_at DESC, id DESC);

-- Their turns. A run may be a turn of several: one that branches off has the turns before.
CREATE TABLE turns (
  thread BLOB NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  run BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  PRIMARY KEY (thread, seq)
) STRICT;
CREATE INDEX turns_run ON turns (run);
