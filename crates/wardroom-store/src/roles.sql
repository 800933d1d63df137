-- Four roles for Wardroom on PostgreSQL 13 or newer. Run this once as a superuser, connected to Wardroom's database,
-- before the first `wardroom migrate`; running it again changes nothing. Then give each role a password (\password
-- wardroom_app), or let your authentication do without.
--
--   wardroom_migrate  owns the tables; only `wardroom migrate` uses it
--   wardroom_app      what `wardroom serve` connects as: reads and writes rows, owns nothing, takes nothing out of the
--                     audit log
--   wardroom_read     for reports: reads rows, but no key of a person
--   wardroom_backup   for pg_dump: reads everything
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['wardroom_migrate', 'wardroom_app', 'wardroom_read', 'wardroom_backup'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', name);
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
  END LOOP;
  -- The schema of people's keys is made by a migration.
  EXECUTE format('GRANT CREATE ON DATABASE %I TO wardroom_migrate', current_database());
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO wardroom_migrate;
GRANT USAGE ON SCHEMA public TO wardroom_app, wardroom_read, wardroom_backup;
CREATE SCHEMA IF NOT EXISTS wardroom_keys AUTHORIZATION wardroom_migrate;
GRANT USAGE ON SCHEMA wardroom_keys TO wardroom_app, wardroom_backup;

-- Tables that are there, and those that migrations will make.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO wardroom_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO wardroom_read, wardroom_backup;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO wardroom_app;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO wardroom_backup;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA wardroom_keys TO wardroom_app;
GRANT SELECT ON ALL TABLES IN SCHEMA wardroom_keys TO wardroom_backup;
ALTER DEFAULT PRIVILEGES FOR ROLE wardroom_migrate IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO wardroom_app;
ALTER DEFAULT PRIVILEGES FOR ROLE wardroom_migrate IN SCHEMA public
  GRANT SELECT ON TABLES TO wardroom_read, wardroom_backup;
ALTER DEFAULT PRIVILEGES FOR ROLE wardroom_migrate IN SCHEMA wardroom_keys
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO wardroom_app;
ALTER DEFAULT PRIVILEGES FOR ROLE wardroom_migrate IN SCHEMA wardroom_keys
  GRANT SELECT ON TABLES TO wardroom_backup;
ALTER DEFAULT PRIVILEGES FOR ROLE wardroom_migrate IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO wardroom_app;
ALTER DEFAULT PRIVILEGES FOR ROLE wardroom_migrate IN SCHEMA public
  GRANT SELECT ON SEQUENCES TO wardroom_backup;
