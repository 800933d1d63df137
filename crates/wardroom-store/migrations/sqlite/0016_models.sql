-- Questions to language models, and bounds on what they may take. Money is in millionths of a US dollar.
CREATE TABLE model_calls (
  id BLOB PRIMARY KEY NOT NULL,
  user_id BLOB NOT NULL REFERENCES users (id),
  customer BLOB,
  token BLOB,
  client_id BLOB,
  agent TEXT,
  run BLOB,
  door TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  held_tokens INTEGER NOT NULL,
  held_cost INTEGER NOT NULL,
  prices TEXT NOT NULL,
  begun_at INTEGER NOT NULL,
  ended_at INTEGER,
  input_tokens INTEGER,
  cache_read_tokens INTEGER,
  cache_write_tokens INTEGER,
  output_tokens INTEGER,
  cost_micros INTEGER,
  estimated INTEGER NOT NULL,
  first_micros INTEGER,
  failure TEXT
) STRICT;
CREATE INDEX model_calls_user ON model_calls (user_id, id);
CREATE INDEX model_calls_run ON model_calls (run, id) WHERE run IS NOT NULL;
CREATE INDEX model_calls_open ON model_calls (begun_at) WHERE ended_at IS NULL;

CREATE TABLE budgets (
  id BLOB PRIMARY KEY NOT NULL,
  about TEXT NOT NULL,
  scope TEXT NOT NULL,
  subject TEXT,
  period TEXT NOT NULL,
  tokens_max INTEGER,
  cost_max INTEGER,
  alert_percent INTEGER,
  version INTEGER NOT NULL,
  created_by BLOB NOT NULL REFERENCES users (id),
  created_at INTEGER NOT NULL
) STRICT;

-- What is used of a budget in a period; `period` is when that began, 0 for one without end.
CREATE TABLE budget_use (
  budget BLOB NOT NULL REFERENCES budgets (id) ON DELETE CASCADE,
  subject TEXT NOT NULL,
  period INTEGER NOT NULL,
  tokens_spent INTEGER NOT NULL,
  tokens_held INTEGER NOT NULL,
  cost_spent INTEGER NOT NULL,
  cost_held INTEGER NOT NULL,
  told INTEGER NOT NULL,
  PRIMARY KEY (budget, subject, period)
) STRICT;

-- What is put aside for a question, in each budget that counts it.
CREATE TABLE model_holds (
  call BLOB NOT NULL REFERENCES model_calls (id) ON DELETE CASCADE,
  budget BLOB NOT NULL REFERENCES budgets (id) ON DELETE CASCADE,
  subject TEXT NOT NULL,
  period INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  PRIMARY KEY (call, budget)
) STRICT;
