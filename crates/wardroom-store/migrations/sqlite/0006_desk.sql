-- The desk: customers, what they can order, what they ordered. Everything that is known of a customer is
-- sealed under its key.
CREATE TABLE customers (
  id BLOB PRIMARY KEY NOT NULL,
  version INTEGER NOT NULL,
  profile BLOB NOT NULL,
  email_index BLOB,
  operators TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX customers_email ON customers (email_index);

-- The same operators once more, to find an account's customers.
CREATE TABLE customer_operators (
  customer_id BLOB NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  PRIMARY KEY (user_id, customer_id)
) STRICT, WITHOUT ROWID;

ALTER TABLE users ADD COLUMN customer_id BLOB REFERENCES customers (id);
CREATE INDEX users_customer ON users (customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE services (
  id BLOB PRIMARY KEY NOT NULL,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  state TEXT NOT NULL,
  audience TEXT,
  form TEXT NOT NULL,
  fulfilment TEXT NOT NULL,
  limits TEXT NOT NULL,
  author BLOB NOT NULL REFERENCES users (id),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX services_name ON services (name);

CREATE TABLE requests (
  id BLOB PRIMARY KEY NOT NULL,
  version INTEGER NOT NULL,
  customer_id BLOB NOT NULL REFERENCES customers (id),
  service_id BLOB NOT NULL REFERENCES services (id),
  requested_by BLOB NOT NULL REFERENCES users (id),
  sealed BLOB NOT NULL,
  state TEXT NOT NULL,
  priority INTEGER NOT NULL,
  assignee BLOB REFERENCES users (id),
  due_at INTEGER,
  scheduled_for INTEGER,
  automatic INTEGER NOT NULL,
  attention INTEGER NOT NULL,
  idempotency_key TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  closed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX requests_idempotency_key ON requests (requested_by, idempotency_key);
CREATE INDEX requests_customer ON requests (customer_id, id);
CREATE INDEX requests_assignee ON requests (assignee, id) WHERE assignee IS NOT NULL;
CREATE INDEX requests_open ON requests (state, id) WHERE closed_at IS NULL;
CREATE INDEX requests_scheduled ON requests (scheduled_for) WHERE state = 'scheduled' AND automatic;

CREATE TABLE notes (
  id BLOB PRIMARY KEY NOT NULL,
  request_id BLOB NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
  author BLOB REFERENCES users (id),
  internal INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX notes_request ON notes (request_id, id);

CREATE TABLE attachments (
  id BLOB PRIMARY KEY NOT NULL,
  request_id BLOB NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
  customer_id BLOB NOT NULL REFERENCES customers (id),
  sealed_name BLOB NOT NULL,
  media_type TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  uploaded_by BLOB NOT NULL REFERENCES users (id),
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX attachments_request ON attachments (request_id, id);
CREATE INDEX attachments_customer ON attachments (customer_id);

-- Apart from what is listed, so that lists don't read it.
CREATE TABLE attachment_contents (
  attachment_id BLOB PRIMARY KEY NOT NULL REFERENCES attachments (id) ON DELETE CASCADE,
  sealed BLOB NOT NULL
) STRICT;

CREATE TABLE saved_views (
  id BLOB PRIMARY KEY NOT NULL,
  user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  list TEXT NOT NULL,
  name TEXT NOT NULL,
  query TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX saved_views_name ON saved_views (user_id, list, name);

ALTER TABLE runs ADD COLUMN request_id BLOB REFERENCES requests (id);
ALTER TABLE runs ADD COLUMN customer_id BLOB REFERENCES customers (id);
CREATE INDEX runs_request ON runs (request_id, id) WHERE request_id IS NOT NULL;
CREATE INDEX runs_customer ON runs (customer_id) WHERE customer_id IS NOT NULL;
