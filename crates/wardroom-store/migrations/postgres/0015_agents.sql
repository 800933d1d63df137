-- AI agents, by their names; the newest version is in force.
CREATE TABLE agents (
  id UUID PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  number BIGINT NOT NULL
);

CREATE TABLE agent_versions (
  agent UUID NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  number BIGINT NOT NULL,
  outline TEXT NOT NULL,
  definition TEXT NOT NULL,
  body TEXT NOT NULL,
  digest TEXT NOT NULL,
  note TEXT NOT NULL,
  author UUID NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (agent, number)
);
