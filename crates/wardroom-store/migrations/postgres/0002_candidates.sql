-- The nodes that may take a run which any one of several is to run; forgotten when it is over.
CREATE TABLE run_candidates (
  node UUID NOT NULL,
  run UUID NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  command_digest TEXT NOT NULL,
  idempotent BOOLEAN NOT NULL,
  PRIMARY KEY (node, run)
);
CREATE INDEX run_candidates_run ON run_candidates (run);

-- The connection that the node had last, so that the end of an older one is known as such.
ALTER TABLE nodes ADD COLUMN link UUID;

-- Parts of a run and later repetitions of the same one do not count as repetitions.
UPDATE runs SET replay_of = NULL WHERE parent IS NOT NULL;
UPDATE runs SET replay_of = NULL WHERE EXISTS
  (SELECT 1 FROM runs earlier WHERE earlier.replay_of = runs.replay_of AND earlier.id < runs.id);

-- A run is repeated once: who asks a second time gets the first repetition.
CREATE UNIQUE INDEX runs_replay_of ON runs (replay_of) WHERE replay_of IS NOT NULL;
CREATE INDEX runs_stopping ON runs (id) WHERE cancel_requested_at IS NOT NULL AND finished_at IS NULL;
CREATE INDEX runs_open ON runs (target_kind, id) WHERE finished_at IS NULL;
DROP INDEX runs_parents;
