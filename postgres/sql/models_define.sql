UPDATE {schema}.projections AS p SET definition = $3::json WHERE p.projection = $1 AND p.version = $2
