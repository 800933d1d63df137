-- Conversations with agents, each one person's. The title is sealed under that person's key.
CREATE TABLE threads (
  id UUID PRIMARY KEY,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  agent TEXT NOT NULL,
  title BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX threads_user ON threads (user_id, updated_at DESC, id DESC);

-- Their turns. A run may be a turn of several: one that branches off has the turns before.
CREATE TABLE turns (
  thread UUID NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
  seq BIGINT NOT NULL,
  run UUID NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  PRIMARY KEY (thread, seq)
);
CREATE INDEX turns_run ON turns (run);
