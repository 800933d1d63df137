-- The desk: customers, what they can order, what they ordered. Everything that is known of a customer is
-- sealed under its key.
CREATE TABLE customers (
  id UUID PRIMARY KEY NOT NULL,
  version BIGINT NOT NULL,
  profile BYTEA NOT NULL,
  email_index BYTEA,
  operators TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX customers_email ON customers (email_index);

-- The same operators once more, to find an account's customers.
CREATE TABLE customer_operators (
  customer_id UUID NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  PRIMARY KEY (user_id, customer_id)
);

ALTER TABLE users ADD COLUMN customer_id UUID REFERENCES customers (id);
CREATE INDEX users_customer ON users (customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE services (
  id UUID PRIMARY KEY NOT NULL,
  version BIGINT NOT NULL,
  name TEXT NOT NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  state TEXT NOT NULL,
  audience TEXT,
  form TEXT NOT NULL,
  fulfilment TEXT NOT NULL,
  limits TEXT NOT NULL,
  author UUID NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX services_name ON services (name);

CREATE TABLE requests (
  id UUID PRIMARY KEY NOT NULL,
  version BIGINT NOT NULL,
  customer_id UUID NOT NULL REFERENCES customers (id),
  service_id UUID NOT NULL REFERENCES services (id),
  requested_by UUID NOT NULL REFERENCES users (id),
  sealed BYTEA NOT NULL,
  state TEXT NOT NULL,
  priority BIGINT NOT NULL,
  assignee UUID REFERENCES users (id),
  due_at BIGINT,
  scheduled_for BIGINT,
  automatic BOOLEAN NOT NULL,
  attention BOOLEAN NOT NULL,
  idempotency_key TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  closed_at BIGINT
);
CREATE UNIQUE INDEX requests_idempotency_key ON requests (requested_by, idempotency_key);
CREATE INDEX requests_customer ON requests (customer_id, id);
CREATE INDEX requests_assignee ON requests (assignee, id) WHERE assignee IS NOT NULL;
CREATE INDEX requests_open ON requests (state, id) WHERE closed_at IS NULL;
CREATE INDEX requests_scheduled ON requests (scheduled_for) WHERE state = 'scheduled' AND automatic;

CREATE TABLE notes (
  id UUID PRIMARY KEY NOT NULL,
  request_id UUID NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
  author UUID REFERENCES users (id),
  internal BOOLEAN NOT NULL,
  sealed BYTEA NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX notes_request ON notes (request_id, id);

CREATE TABLE attachments (
  id UUID PRIMARY KEY NOT NULL,
  request_id UUID NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
  customer_id UUID NOT NULL REFERENCES customers (id),
  sealed_name BYTEA NOT NULL,
  media_type TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  uploaded_by UUID NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL
);
CREATE INDEX attachments_request ON attachments (request_id, id);
CREATE INDEX attachments_customer ON attachments (customer_id);

-- Apart from what is listed, so that lists don't read it.
CREATE TABLE attachment_contents (
  attachment_id UUID PRIMARY KEY NOT NULL REFERENCES attachments (id) ON DELETE CASCADE,
  sealed BYTEA NOT NULL
);

CREATE TABLE saved_views (
  id UUID PRIMARY KEY NOT NULL,
  user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  list TEXT NOT NULL,
  name TEXT NOT NULL,
  query TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX saved_views_name ON saved_views (user_id, list, name);

ALTER TABLE runs ADD COLUMN request_id UUID REFERENCES requests (id);
ALTER TABLE runs ADD COLUMN customer_id UUID REFERENCES customers (id);
CREATE INDEX runs_request ON runs (request_id, id) WHERE request_id IS NOT NULL;
CREATE INDEX runs_customer ON runs (customer_id) WHERE customer_id IS NOT NULL;
