-- Questions to language models, and bounds on what they may take. Money is in millionths of a US dollar.
CREATE TABLE model_calls (
  id UUID PRIMARY KEY,
  user_id UUID NOT NULL REFERENCES users (id),
  customer UUID,
  token UUID,
  client_id UUID,
  agent TEXT,
  run UUID,
  door TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  held_tokens BIGINT NOT NULL,
  held_cost BIGINT NOT NULL,
  prices TEXT NOT NULL,
  begun_at BIGINT NOT NULL,
  ended_at BIGINT,
  input_tokens BIGINT,
  cache_read_tokens BIGINT,
  cache_write_tokens BIGINT,
  output_tokens BIGINT,
  cost_micros BIGINT,
  estimated BOOLEAN NOT NULL,
  first_micros BIGINT,
  failure TEXT
);
CREATE INDEX model_calls_user ON model_calls (user_id, id);
CREATE INDEX model_calls_run ON model_calls (run, id) WHERE run IS NOT NULL;
CREATE INDEX model_calls_open ON model_calls (begun_at) WHERE ended_at IS NULL;

CREATE TABLE budgets (
  id UUID PRIMARY KEY,
  about TEXT NOT NULL,
  scope TEXT NOT NULL,
  subject TEXT,
  period TEXT NOT NULL,
  tokens_max BIGINT,
  cost_max BIGINT,
  alert_percent BIGINT,
  version BIGINT NOT NULL,
  created_by UUID NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL
);

-- What is used of a budget in a period; `period` is when that began, 0 for one without end.
CREATE TABLE budget_use (
  budget UUID NOT NULL REFERENCES budgets (id) ON DELETE CASCADE,
  subject TEXT NOT NULL,
  period BIGINT NOT NULL,
  tokens_spent BIGINT NOT NULL,
  tokens_held BIGINT NOT NULL,
  cost_spent BIGINT NOT NULL,
  cost_held BIGINT NOT NULL,
  told BOOLEAN NOT NULL,
  PRIMARY KEY (budget, subject, period)
);

-- What is put aside for a question, in each budget that counts it.
CREATE TABLE model_holds (
  call UUID NOT NULL REFERENCES model_calls (id) ON DELETE CASCADE,
  budget UUID NOT NULL REFERENCES budgets (id) ON DELETE CASCADE,
  subject TEXT NOT NULL,
  period BIGINT NOT NULL,
  tokens BIGINT NOT NULL,
  cost BIGINT NOT NULL,
  PRIMARY KEY (call, budget)
);
