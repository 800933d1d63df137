-- What is watched: alerts out of the audit log, faults, and messages that wait to be delivered.
CREATE TABLE cursors (
  name TEXT PRIMARY KEY NOT NULL,
  position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is in the log by now is past, and gives no alerts.
INSERT INTO cursors (name, position) SELECT 'alerts', size FROM audit_tree WHERE id = 1;

CREATE TABLE alerts (
  id BLOB PRIMARY KEY NOT NULL,
  rule TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  count INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  acknowledged_by BLOB REFERENCES users (id),
  acknowledged_at INTEGER
) STRICT;
CREATE UNIQUE INDEX alerts_open ON alerts (rule, subject) WHERE acknowledged_at IS NULL;

CREATE TABLE messages (
  id BLOB PRIMARY KEY NOT NULL,
  channel TEXT NOT NULL,
  recipient BLOB REFERENCES users (id),
  sealed BLOB NOT NULL,
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  problem TEXT,
  dead INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_due ON messages (due_at) WHERE NOT dead;

CREATE TABLE faults (
  fingerprint TEXT PRIMARY KEY NOT NULL,
  place TEXT NOT NULL,
  message TEXT NOT NULL,
  count INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  request TEXT,
  run TEXT,
  resolved_at INTEGER
) STRICT;
CREATE INDEX faults_last ON faults (last_at);
