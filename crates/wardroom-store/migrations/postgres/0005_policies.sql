-- Policies that were in force; the one with the highest number is.
CREATE TABLE policies (
  number BIGINT PRIMARY KEY NOT NULL,
  body TEXT NOT NULL,
  note TEXT NOT NULL,
  author TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
ALTER TABLE users ADD COLUMN user_groups TEXT NOT NULL DEFAULT '[]';
