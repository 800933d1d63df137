-- AI agents, by their names; the newest version is in force.
CREATE TABLE agents (
  id BLOB PRIMARY KEY NOT NULL,
  name TEXT NOT NULL UNIQUE,
  number INTEGER NOT NULL
) STRICT;

CREATE TABLE agent_versions (
  agent BLOB NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  outline TEXT NOT NULL,
  definition TEXT NOT NULL,
  body TEXT NOT NULL,
  digest TEXT NOT NULL,
  note TEXT NOT NULL,
  author BLOB NOT NULL REFERENCES users (id),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (agent, number)
) STRICT;
