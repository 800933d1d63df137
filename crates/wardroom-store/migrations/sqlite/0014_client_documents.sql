-- Programs that nobody registered: each says itself what it is, at this address.
ALTER TABLE oauth_clients ADD COLUMN document TEXT;
CREATE UNIQUE INDEX oauth_clients_document ON oauth_clients (document);
