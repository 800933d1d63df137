-- Accounts that are somebody's at an issuer outside, and the sessions that were opened there.
CREATE TABLE outside (
  subject BYTEA PRIMARY KEY NOT NULL,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL
);
CREATE INDEX outside_user ON outside (user_id);

ALTER TABLE sessions ADD COLUMN outside BYTEA;
CREATE INDEX sessions_outside ON sessions (outside) WHERE outside IS NOT NULL;
