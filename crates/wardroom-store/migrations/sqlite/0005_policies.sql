-- Policies that were in force; the one with the highest number is.
CREATE TABLE policies (
  number INTEGER PRIMARY KEY NOT NULL,
  body TEXT NOT NULL,
  note TEXT NOT NULL,
  author TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
ALTER TABLE users ADD COLUMN user_groups TEXT NOT NULL DEFAULT '[]';
