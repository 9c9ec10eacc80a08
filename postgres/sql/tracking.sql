CREATE TABLE IF NOT EXISTS {schema}.migrations (
    step        bigint      PRIMARY KEY,
    migrated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
