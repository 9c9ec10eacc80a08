GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT, INSERT ON {schema}.events TO {role};
GRANT SELECT, USAGE ON SEQUENCE {schema}.positions TO {role};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON
    {schema}.keys, {schema}.snapshots, {schema}.projections, {schema}.rebuilds, {schema}.parked, {schema}.checkpoints, {schema}.shards, {schema}.outgoing, {schema}.deadlines
    TO {role};
GRANT SELECT ON {schema}.migrations TO {role};
