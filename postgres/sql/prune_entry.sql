DELETE FROM {schema}.projections AS p WHERE p.projection = $1 AND p.version = $2
