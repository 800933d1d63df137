-- Tool servers, what they offer, and calls of their tools.
CREATE TABLE tool_servers (
  id UUID PRIMARY KEY NOT NULL,
  name TEXT NOT NULL UNIQUE,
  about TEXT NOT NULL,
  way TEXT NOT NULL,
  shown TEXT NOT NULL,
  limits TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  version BIGINT NOT NULL,
  created_by UUID NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL
);

CREATE TABLE tools (
  server UUID NOT NULL REFERENCES tool_servers (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  accepted TEXT,
  accepted_digest BYTEA,
  accepted_by UUID REFERENCES users (id),
  accepted_at BIGINT,
  seen TEXT,
  seen_digest BYTEA,
  warnings TEXT NOT NULL,
  first_seen_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (server, name)
);

-- A call outlives its server: what was done stays known.
CREATE TABLE tool_calls (
  id UUID PRIMARY KEY NOT NULL,
  server UUID NOT NULL,
  server_name TEXT NOT NULL,
  tool TEXT NOT NULL,
  user_id UUID NOT NULL REFERENCES users (id),
  client_id UUID,
  door TEXT NOT NULL,
  arguments BYTEA NOT NULL,
  arguments_digest BYTEA NOT NULL,
  arguments_bytes BIGINT NOT NULL,
  policy TEXT NOT NULL,
  begun_at BIGINT NOT NULL,
  outcome TEXT,
  ended_at BIGINT,
  result_digest BYTEA,
  result_bytes BIGINT,
  problem TEXT
);
CREATE INDEX tool_calls_server ON tool_calls (server, id);
CREATE INDEX tool_calls_user ON tool_calls (user_id, id);
CREATE INDEX tool_calls_open ON tool_calls (begun_at) WHERE ended_at IS NULL;
