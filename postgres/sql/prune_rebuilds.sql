DELETE FROM {schema}.rebuilds AS r WHERE r.projection = $1 AND r.version = $2
