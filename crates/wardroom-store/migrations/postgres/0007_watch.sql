-- What is watched: alerts out of the audit log, faults, and messages that wait to be delivered.
CREATE TABLE cursors (
  name TEXT PRIMARY KEY NOT NULL,
  position BIGINT NOT NULL
);

-- What is in the log by now is past, and gives no alerts.
INSERT INTO cursors (name, position) SELECT 'alerts', size FROM audit_tree WHERE id = 1;

CREATE TABLE alerts (
  id UUID PRIMARY KEY NOT NULL,
  rule TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  count BIGINT NOT NULL,
  first_at BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  acknowledged_by UUID REFERENCES users (id),
  acknowledged_at BIGINT
);
CREATE UNIQUE INDEX alerts_open ON alerts (rule, subject) WHERE acknowledged_at IS NULL;

CREATE TABLE messages (
  id UUID PRIMARY KEY NOT NULL,
  channel TEXT NOT NULL,
  recipient UUID REFERENCES users (id),
  sealed BYTEA NOT NULL,
  attempts BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  problem TEXT,
  dead BOOLEAN NOT NULL
);
CREATE INDEX messages_due ON messages (due_at) WHERE NOT dead;

CREATE TABLE faults (
  fingerprint TEXT PRIMARY KEY NOT NULL,
  place TEXT NOT NULL,
  message TEXT NOT NULL,
  count BIGINT NOT NULL,
  first_at BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  request TEXT,
  run TEXT,
  resolved_at BIGINT
);
CREATE INDEX faults_last ON faults (last_at);
