-- People's accounts at tool servers, which they let the gateway use in their name.
CREATE TABLE tool_accounts (
  id UUID PRIMARY KEY NOT NULL,
  server UUID NOT NULL REFERENCES tool_servers (id) ON DELETE CASCADE,
  user_id UUID NOT NULL REFERENCES users (id),
  issuer TEXT NOT NULL,
  scopes TEXT NOT NULL,
  sealed BYTEA NOT NULL,
  version BIGINT NOT NULL,
  connected_at BIGINT NOT NULL,
  UNIQUE (server, user_id)
);
CREATE INDEX tool_accounts_user ON tool_accounts (user_id);
