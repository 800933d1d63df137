-- Secrets that have a name, in versions.
CREATE TABLE secrets (
  name TEXT PRIMARY KEY NOT NULL,
  about TEXT NOT NULL,
  rotate_days BIGINT,
  current BIGINT NOT NULL,
  reminded BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  renewed_at BIGINT NOT NULL
);

CREATE TABLE secret_versions (
  name TEXT NOT NULL REFERENCES secrets (name) ON DELETE CASCADE,
  number BIGINT NOT NULL,
  sealed BYTEA NOT NULL,
  created_by UUID NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (name, number)
);
