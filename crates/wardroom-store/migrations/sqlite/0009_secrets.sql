-- Secrets that have a name, in versions.
CREATE TABLE secrets (
  name TEXT PRIMARY KEY NOT NULL,
  about TEXT NOT NULL,
  rotate_days INTEGER,
  current INTEGER NOT NULL,
  reminded INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  renewed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE secret_versions (
  name TEXT NOT NULL REFERENCES secrets (name) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  created_by BLOB NOT NULL REFERENCES users (id),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (name, number)
) STRICT;
