BEGIN;

-- Who migrates at the same time waits.
SELECT pg_advisory_xact_lock({lock});

DO $script$
BEGIN
    IF to_regnamespace('{schema}') IS NULL THEN
        CREATE SCHEMA {schema};
    END IF;
    {tracking}
    IF EXISTS (SELECT FROM {schema}.migrations WHERE step > {newest}) THEN
        RAISE EXCEPTION 'a newer release has migrated schema {schema}' USING HINT = 'run the script of that release';
    END IF;
END
$script$;
