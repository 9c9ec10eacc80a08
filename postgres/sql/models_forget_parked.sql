DELETE FROM {schema}.parked AS p WHERE p.name = $1 AND p.version = $2
