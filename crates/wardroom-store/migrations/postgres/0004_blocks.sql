-- Networks that are turned away; kept for a day longer, so that whoever begins anew is blocked for longer.
CREATE TABLE blocks (
  network TEXT PRIMARY KEY NOT NULL,
  reason TEXT NOT NULL,
  times BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  until_at BIGINT NOT NULL
);
CREATE INDEX blocks_until ON blocks (until_at);
