-- People's accounts at tool servers, which they let the gateway use in their name.
CREATE TABLE tool_accounts (
  id BLOB PRIMARY KEY NOT NULL,
  server BLOB NOT NULL REFERENCES tool_servers (id) ON DELETE CASCADE,
  user_id BLOB NOT NULL REFERENCES users (id),
  issuer TEXT NOT NULL,
  scopes TEXT NOT NULL,
  sealed BLOB NOT NULL,
  version INTEGER NOT NULL,
  connected_at INTEGER NOT NULL,
  UNIQUE (server, user_id)
) STRICT;
CREATE INDEX tool_accounts_user ON tool_accounts (user_id);
