-- Runs that the orchestrator itself carries on: those of agents. `work` says what they are about, `holder` who carries them
-- on, `waits_since` since when they wait for a person or another run.
ALTER TABLE runs ADD COLUMN work TEXT;
ALTER TABLE runs ADD COLUMN holder UUID;
ALTER TABLE runs ADD COLUMN waits_since BIGINT;
CREATE INDEX runs_queued_here ON runs (priority DESC, id) WHERE state = 'queued' AND target_kind = 'here';
CREATE INDEX runs_holder ON runs (holder) WHERE holder IS NOT NULL;
CREATE INDEX runs_waits_since ON runs (waits_since) WHERE waits_since IS NOT NULL;

-- What happened in them, sealed under the key of whom they work for.
CREATE TABLE journal (
  id UUID PRIMARY KEY,
  run UUID NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  sealed BYTEA NOT NULL,
  UNIQUE (run, seq)
);

-- The approvals and runs that runs wait for.
CREATE TABLE run_waits (
  awaited UUID NOT NULL,
  run UUID NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  PRIMARY KEY (awaited, run)
);
CREATE INDEX run_waits_run ON run_waits (run);

-- Consent that an agent's run asked for is that run's alone.
ALTER TABLE approvals ADD COLUMN agent_run UUID;
