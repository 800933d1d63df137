-- Accounts that are somebody's at an issuer outside, and the sessions that were opened there.
CREATE TABLE outside (
  subject BLOB PRIMARY KEY NOT NULL,
  user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outside_user ON outside (user_id);

ALTER TABLE sessions ADD COLUMN outside BLOB;
CREATE INDEX sessions_outside ON sessions (outside) WHERE outside IS NOT NULL;
