SELECT count(DISTINCT p.key_hash) FROM {schema}.parked AS p WHERE p.name = $1 AND p.version = $2
