UPDATE {schema}.projections AS p SET building = $3 WHERE p.projection = $1 AND p.version = $2
