SELECT p.generation, p.building, p.paused, p.definition::text AS definition
  FROM {schema}.projections AS p
 WHERE p.projection = $1 AND p.version = $2
