UPDATE {schema}.projections AS p SET generation = $3, building = NULL WHERE p.projection = $1 AND p.version = $2
