SELECT p.model, p.generation, p.building
  FROM {schema}.projections AS p
 WHERE p.projection = $1 AND p.version = $2
   FOR UPDATE
