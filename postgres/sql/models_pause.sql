UPDATE {schema}.projections AS p SET paused = $3 WHERE p.projection = $1 AND p.version = $2
