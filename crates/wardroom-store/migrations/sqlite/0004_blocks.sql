-- Networks that are turned away; kept for a day longer, so that whoever begins anew is blocked for longer.
CREATE TABLE blocks (
  network TEXT PRIMARY KEY NOT NULL,
  reason TEXT NOT NULL,
  times INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  until_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blocks_until ON blocks (until_at);
