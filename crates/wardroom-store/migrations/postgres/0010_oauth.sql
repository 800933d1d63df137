-- Programs of others that act in somebody's name, and the codes by which they come by it.
CREATE TABLE oauth_clients (
  id UUID PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  secret_hash BYTEA,
  redirect_uris TEXT NOT NULL,
  scopes TEXT NOT NULL,
  acts_as UUID REFERENCES users (id),
  created_by UUID NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL
);

-- What a session was granted, where it is such a program's.
ALTER TABLE sessions ADD COLUMN client_id UUID REFERENCES oauth_clients (id) ON DELETE CASCADE;
ALTER TABLE sessions ADD COLUMN scopes TEXT;
ALTER TABLE sessions ADD COLUMN resource TEXT;
CREATE INDEX sessions_client ON sessions (client_id) WHERE client_id IS NOT NULL;

CREATE TABLE oauth_codes (
  secret_hash BYTEA PRIMARY KEY NOT NULL,
  client_id UUID NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
  session_id UUID NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  scopes TEXT NOT NULL,
  resource TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  challenge TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX oauth_codes_client ON oauth_codes (client_id);
CREATE INDEX oauth_codes_session ON oauth_codes (session_id);
CREATE INDEX oauth_codes_user ON oauth_codes (user_id);
CREATE INDEX oauth_codes_expires ON oauth_codes (expires_at);
