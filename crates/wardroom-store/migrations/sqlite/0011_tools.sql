-- Tool servers, what they offer, and calls of their tools.
CREATE TABLE tool_servers (
  id BLOB PRIMARY KEY NOT NULL,
  name TEXT NOT NULL UNIQUE,
  about TEXT NOT NULL,
  way TEXT NOT NULL,
  shown TEXT NOT NULL,
  limits TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_by BLOB NOT NULL REFERENCES users (id),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tools (
  server BLOB NOT NULL REFERENCES tool_servers (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  accepted TEXT,
  accepted_digest BLOB,
  accepted_by BLOB REFERENCES users (id),
  accepted_at INTEGER,
  seen TEXT,
  seen_digest BLOB,
  warnings TEXT NOT NULL,
  first_seen_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (server, name)
) STRICT;

-- A call outlives its server: what was done stays known.
CREATE TABLE tool_calls (
  id BLOB PRIMARY KEY NOT NULL,
  server BLOB NOT NULL,
  server_name TEXT NOT NULL,
  tool TEXT NOT NULL,
  user_id BLOB NOT NULL REFERENCES users (id),
  client_id BLOB,
  door TEXT NOT NULL,
  arguments BLOB NOT NULL,
  arguments_digest BLOB NOT NULL,
  arguments_bytes INTEGER NOT NULL,
  policy TEXT NOT NULL,
  begun_at INTEGER NOT NULL,
  outcome TEXT,
  ended_at INTEGER,
  result_digest BLOB,
  result_bytes INTEGER,
  problem TEXT
) STRICT;
CREATE INDEX tool_calls_server ON tool_calls (server, id);
CREATE INDEX tool_calls_user ON tool_calls (user_id, id);
CREATE INDEX tool_calls_open ON tool_calls (begun_at) WHERE ended_at IS NULL;
