DELETE FROM {schema}.shards AS s WHERE s.name = $1 AND s.version = $2
